//! The table that metrics stand in.

use super::durations::Buckets;
use crate::time::Now;

/// A label's name and value.
pub type Label<'l> = (&'static str, &'l str);

/// What a metric shows at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(f64),
    /// Durations.
    Histogram(Buckets),
}

/// Something that can be read: one value, or one for each of its labels' values.
pub trait Metric {
    /// Gives each value, as it is at `now`, with its labels.
    fn read_at(&self, now: Now, each: &mut dyn FnMut(&[Label<'_>], Value));
}

/// One value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'s> {
    /// Prometheus style.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// In the order of the table.
    pub labels: &'s [Label<'s>],
    /// What it is.
    pub value: Value,
}

/// Declares a set of metrics: a line is all that a new one needs, and its row in docs/metrics.md.
///
/// A line names the field, the kind, labels with all their values if there are any, the metric's name and its help
/// text. `of` says where the numbers are kept: [`super::Cell`] where one thread writes them, [`super::Shared`] where any
/// may. What follows `beside` belongs to the struct and is no metric.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$attribute:meta])*
        $public:vis struct $Set:ident of $Number:ident {
            $($field:ident: $Kind:ident $([$($label:literal in $values:expr),+])? $(($key:literal))?, $name:literal, $help:literal;)*
        }
        $(beside { $($(#[$about:meta])* $other:ident: $Other:ty;)* })?
    ) => {
        $(#[$attribute])*
        #[derive(Debug)]
        $public struct $Set {
            $(#[doc = $help] pub $field: $crate::metrics!(@type $Kind $Number $([$($label)+])? $(($key))?),)*
            $($($(#[$about])* pub $other: $Other,)*)?
        }

        impl Default for $Set {
            fn default() -> Self {
                Self {
                    $($field: $crate::metrics!(@new $([$($label in $values),+])? $(($key))?),)*
                    $($($other: <$Other>::default(),)*)?
                }
            }
        }

        impl $Set {
            /// Gives each value of each metric, as it is at `now`. The list is closed: all that is measured here.
            pub fn visit(&self, now: $crate::time::Now, each: &mut dyn FnMut(&$crate::metrics::Sample<'_>)) {
                $($crate::metrics::Metric::read_at(&self.$field, now, &mut |labels, value| {
                    each(&$crate::metrics::Sample { name: $name, help: $help, labels, value });
                });)*
            }
        }
    };
    (@type $Kind:ident $Number:ident) => { $crate::metrics::$Kind<$crate::metrics::$Number> };
    (@type $Kind:ident $Number:ident [$($label:literal)+]) => { $crate::metrics::By<$crate::metrics::$Kind<$crate::metrics::$Number>> };
    (@type $Kind:ident $Number:ident ($key:literal)) => { $crate::metrics::$Kind };
    (@new) => { Default::default() };
    (@new [$($label:literal in $values:expr),+]) => { $crate::metrics::By::new(&[$(($label, $values)),+]) };
    (@new ($key:literal)) => { $crate::metrics::Named::new($key) };
}
