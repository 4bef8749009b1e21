//! Metrics with labels.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::registry::{Label, Metric, Value};
use crate::time::Now;

/// A name of a label and the values that it has.
type Values = (&'static str, &'static [&'static str]);

/// A metric for each combination of the values of some labels. All are there from the start, with zero.
#[derive(Debug)]
pub struct By<M> {
    labels: Vec<Values>,
    /// The last label's values first.
    metrics: Vec<M>,
}

impl<M: Default> By<M> {
    /// One for each combination of these values.
    #[must_use]
    pub fn new(labels: &[Values]) -> Self {
        let combinations = labels.iter().map(|(_, values)| values.len()).product();
        let metrics = std::iter::repeat_with(M::default).take(combinations).collect();
        Self { labels: labels.to_vec(), metrics }
    }

    /// The one of these values, one for each label in order.
    ///
    /// # Panics
    /// If that is no combination of the labels' values: they are constants of the program.
    #[must_use]
    pub fn of<const LABELS: usize>(&self, values: [&str; LABELS]) -> &M {
        assert_eq!(self.labels.len(), LABELS, "a value for each label");
        let place = self.labels.iter().zip(values).fold(0, |place, ((name, known), value)| {
            let found = known.iter().position(|known| *known == value);
            let found =
                found.unwrap_or_else(|| panic!("{value:?} is not among the values of the label {name}"));
            place * known.len() + found
        });
        &self.metrics[place]
    }
}

impl<M: Metric> Metric for By<M> {
    fn read_at(&self, now: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        for (place, metric) in self.metrics.iter().enumerate() {
            let mut rest = place;
            let mut labels: Vec<Label<'_>> = self
                .labels
                .iter()
                .rev()
                .map(|(name, values)| {
                    let value = values[rest % values.len()];
                    rest /= values.len();
                    (*name, value)
                })
                .collect();
            labels.reverse();
            metric.read_at(now, &mut |_, value| each(&labels, value));
        }
    }
}

/// A gauge for each value of a label that is known only while the host runs.
#[derive(Debug)]
pub struct Named {
    label: &'static str,
    values: Mutex<BTreeMap<String, f64>>,
}

impl Named {
    /// Without any value of this label.
    #[must_use]
    pub const fn new(label: &'static str) -> Self {
        Self { label, values: Mutex::new(BTreeMap::new()) }
    }

    /// Replaces all of them.
    ///
    /// # Panics
    /// Never: nothing panics while the values are held.
    pub fn replace(&self, values: impl IntoIterator<Item = (String, f64)>) {
        *self.values.lock().expect("nobody panics while holding it") = values.into_iter().collect();
    }
}

impl Metric for Named {
    fn read_at(&self, _: Now, each: &mut dyn FnMut(&[Label<'_>], Value)) {
        for (name, value) in &*self.values.lock().expect("nobody panics while holding it") {
            each(&[(self.label, name)], Value::Gauge(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Counter, Shared};
    use crate::time::{MonoNanos, WallMillis};

    fn all(metric: &impl Metric) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        metric.read_at(Now { wall: WallMillis(0), mono: MonoNanos(0) }, &mut |labels, value| {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            all.push((labels.join(","), value));
        });
        all
    }

    #[test]
    fn each_combination_of_labels_is_there_from_the_start() {
        let by = By::<Counter<Shared>>::new(&[("method", &["a", "b"]), ("outcome", &["yes", "no"])]);
        by.of(["b", "yes"]).add(2);
        by.of(["b", "no"]).add(3);
        let expected = [("a,yes", 0), ("a,no", 0), ("b,yes", 2), ("b,no", 3)];
        let expected = expected.map(|(values, count)| {
            let (method, outcome) = values.split_once(',').unwrap();
            (format!("method={method},outcome={outcome}"), Value::Counter(count))
        });
        assert_eq!(all(&by), expected);
    }

    #[test]
    #[should_panic(expected = "\"c\" is not among the values of the label method")]
    fn a_value_that_no_label_has_is_a_bug() {
        By::<Counter<Shared>>::new(&[("method", &["a", "b"])]).of(["c"]).add(1);
    }

    #[test]
    fn names_that_are_gone_are_shown_no_more() {
        let named = Named::new("thread");
        named.replace([("b".to_owned(), 2.0), ("a".to_owned(), 1.0)]);
        let expected =
            [("thread=a".to_owned(), Value::Gauge(1.0)), ("thread=b".to_owned(), Value::Gauge(2.0))];
        assert_eq!(all(&named), expected);
        named.replace([]);
        assert_eq!(all(&named), []);
    }
}
