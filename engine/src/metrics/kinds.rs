//! Kinds of metrics with one value.

use std::time::Duration;

use super::cell::{Cell, Number};
use super::registry::{Label, Metric, Value};
use crate::time::{MonoNanos, Now};

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double; beyond 2^53 nobody counts by ones")]
const fn float(value: u64) -> f64 {
    value as f64
}

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter<N = Cell>(N);

impl<N: Number> Counter<N> {
    /// Adds to it.
    #[inline]
    pub fn add(&self, value: u64) {
        self.0.add(value);
    }

    /// What was counted so far.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Takes over what was counted elsewhere: that count, which only grows.
    pub fn take(&self, count: u64) {
        self.0.set(count);
    }
}

impl<N: Number> Metric for Counter<N> {
    fn read_at(&self, _: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        each(&[], Value::Counter(self.get()));
    }
}

/// Goes up and down in whole numbers.
#[derive(Debug, Default)]
pub struct Gauge<N = Cell>(N);

impl<N: Number> Gauge<N> {
    /// Replaces it.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.set(value);
    }

    /// What it is now.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl<N: Number> Metric for Gauge<N> {
    fn read_at(&self, _: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        each(&[], Value::Gauge(float(self.get())));
    }
}

/// Goes up and down, with fractions. One that is not a number is not known, and is shown nowhere.
#[derive(Debug, Default)]
pub struct Real<N = Cell>(N);

impl<N: Number> Real<N> {
    /// Replaces it.
    pub fn set(&self, value: f64) {
        self.0.set(value.to_bits());
    }

    /// What it is now.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.get())
    }
}

impl<N: Number> Metric for Real<N> {
    fn read_at(&self, _: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        let value = self.get();
        if !value.is_nan() {
            each(&[], Value::Gauge(value));
        }
    }
}

/// A moment of the monotonic clock, shown as the seconds that have passed since then; 0 while there is none.
#[derive(Debug, Default)]
pub struct Since<N = Cell>(N);

impl<N: Number> Since<N> {
    /// Replaces the moment: nanoseconds, or 0 for none.
    #[inline]
    pub fn set(&self, nanos: u64) {
        self.0.set(nanos);
    }

    /// The moment in nanoseconds, or 0 for none.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl<N: Number> Metric for Since<N> {
    fn read_at(&self, now: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        let age = match self.get() {
            0 => Duration::ZERO,
            since => now.mono.since(MonoNanos(since)),
        };
        each(&[], Value::Gauge(age.as_secs_f64()));
    }
}

/// A moment of the wall clock, shown as the seconds that have passed since then; 0 while there is none, or if it lies
/// ahead.
#[derive(Debug, Default)]
pub struct SinceMillis<N = Cell>(N);

impl<N: Number> SinceMillis<N> {
    /// Replaces the moment: milliseconds since 1970, or 0 for none.
    pub fn set(&self, millis: u64) {
        self.0.set(millis);
    }

    /// The moment in milliseconds since 1970, or 0 for none.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// How long ago it was at `now`.
    #[must_use]
    pub fn age(&self, now: Now) -> Duration {
        match self.get() {
            0 => Duration::ZERO,
            since => Duration::from_millis(now.wall.0.saturating_sub(since)),
        }
    }
}

impl<N: Number> Metric for SinceMillis<N> {
    fn read_at(&self, now: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        each(&[], Value::Gauge(self.age(now).as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallMillis;

    const NOW: Now = Now { wall: WallMillis(5_000), mono: MonoNanos(3_000_000_000) };

    fn values(metric: &impl Metric) -> Vec<Value> {
        let mut values = Vec::new();
        metric.read_at(NOW, &mut |labels, value| {
            assert!(labels.is_empty());
            values.push(value);
        });
        values
    }

    #[test]
    fn a_moment_is_shown_as_its_age() {
        let (mono, wall) = (Since::<Cell>::default(), SinceMillis::<Cell>::default());
        assert_eq!((values(&mono), values(&wall)), (vec![Value::Gauge(0.0)], vec![Value::Gauge(0.0)]));
        mono.set(1_500_000_000);
        wall.set(4_500);
        assert_eq!((values(&mono), values(&wall)), (vec![Value::Gauge(1.5)], vec![Value::Gauge(0.5)]));
        wall.set(6_000);
        assert_eq!(values(&wall), [Value::Gauge(0.0)], "a moment ahead");
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let real = Real::<Cell>::default();
        assert_eq!(values(&real), [Value::Gauge(0.0)]);
        real.set(f64::NAN);
        assert_eq!(values(&real), []);
        real.set(f64::INFINITY);
        assert_eq!(values(&real), [Value::Gauge(f64::INFINITY)]);
    }
}
