use std::time::Duration;

use serde::Serialize;

/// How long something took, over many times, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Times that were measured.
    pub count: u64,
    /// Half of them took at most this.
    pub p50_micros: u64,
    /// All but one in a hundred took at most this.
    pub p99_micros: u64,
    /// The longest.
    pub max_micros: u64,
}

impl Latency {
    /// Of these durations; zeros if there are none.
    pub(super) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let micros = |index: usize| {
            durations.get(index).map_or(0, |duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
        };
        let last = durations.len().saturating_sub(1);
        Self {
            count: durations.len() as u64,
            p50_micros: micros(last / 2),
            p99_micros: micros(last * 99 / 100),
            max_micros: micros(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_durations() {
        let latency = Latency::of((1..=101).rev().map(Duration::from_micros).collect());
        assert_eq!(latency, Latency { count: 101, p50_micros: 51, p99_micros: 100, max_micros: 101 });
        assert_eq!(Latency::of(Vec::new()).max_micros, 0);
    }
}
