use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Rows kept: more than the page shows, so that some are left when the worst have got old.
const ROWS: usize = 64;
/// Older ones are forgotten.
const KEEP: Duration = Duration::from_secs(3600);

/// One operation that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What it was, as in `read_page`.
    pub(crate) what: &'static str,
    /// How long it took.
    pub(crate) took: Duration,
    /// When it ended.
    pub(crate) ended: Instant,
}

/// The slowest operations of the last hour. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slowest(Arc<Mutex<Vec<Operation>>>);

impl Slowest {
    /// Takes an operation into account that ended at `ended`.
    pub(crate) fn note(&self, what: &'static str, took: Duration, ended: Instant) {
        let mut rows = self.0.lock().expect("nobody panics while holding it");
        if rows.len() >= ROWS {
            rows.retain(|row| ended.saturating_duration_since(row.ended) < KEEP);
        }
        if rows.len() < ROWS {
            rows.push(Operation { what, took, ended });
        } else if let Some(quickest) = rows.iter_mut().min_by_key(|row| row.took)
            && quickest.took < took
        {
            *quickest = Operation { what, took, ended };
        }
    }

    /// The slowest first.
    pub(crate) fn list(&self, now: Instant) -> Vec<Operation> {
        let mut rows = self.0.lock().expect("nobody panics while holding it").clone();
        rows.retain(|row| now.saturating_duration_since(row.ended) < KEEP);
        rows.sort_by_key(|row| std::cmp::Reverse(row.took));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_stay_until_they_are_old() {
        let (slowest, start) = (Slowest::default(), Instant::now());
        for millis in 0..1_000 {
            slowest.note("call", Duration::from_millis(millis), start);
        }
        let millis = |now| slowest.list(now).iter().map(|row| row.took.as_millis()).collect::<Vec<_>>();
        assert_eq!(millis(start)[..3], [999, 998, 997]);
        assert_eq!(millis(start).len(), ROWS);
        let later = start + KEEP;
        assert!(millis(later).is_empty());
        slowest.note("call", Duration::from_millis(1), later);
        assert_eq!(millis(later), [1], "an old slow one makes room for a new one");
    }
}
