use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Kept of each kind of operation, so that none hides the others. Kinds are constants of this program, and few.
const ROWS: usize = 3;
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
        rows.retain(|row| ended.saturating_duration_since(row.ended) < KEEP);
        let same = || rows.iter().enumerate().filter(|(_, row)| row.what == what);
        if same().count() < ROWS {
            rows.push(Operation { what, took, ended });
        } else if let Some((place, quickest)) = same().min_by_key(|(_, row)| row.took)
            && quickest.took < took
        {
            rows[place] = Operation { what, took, ended };
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
        assert_eq!(millis(start), [999, 998, 997]);
        slowest.note("other", Duration::from_millis(7), start);
        assert_eq!(millis(start), [999, 998, 997, 7], "one kind does not hide another");
        let later = start + KEEP;
        assert!(millis(later).is_empty());
        slowest.note("call", Duration::from_millis(1), later);
        assert_eq!(millis(later), [1], "an old slow one makes room for a new one");
    }
}
