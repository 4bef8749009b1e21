//! Which index is optimized next.
//!
//! The manager enqueues from its thread, discovery and the optimizer from theirs, so the state is behind a
//! mutex that is never held across an await. What waits is lost with the process, as in the original:
//! discovery finds it again.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use crate::error::Result;
use crate::ids::IndexCode;
use crate::io::disk::{Disk, EntryKind};
use crate::store::Store;

/// Priority of what discovery enqueues; a person's request with a lower number goes first.
pub(crate) const DISCOVERY_PRIORITY: i32 = 10;

/// How urgently an index wants to be optimized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Urgency {
    /// The lower, the sooner.
    pub priority: i32,
    /// Among equal priorities: the higher, the sooner.
    pub score: f64,
}

/// What an enqueueing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits now and did not before.
    Added,
    /// It waited already and has the new priority and score now.
    Replaced,
    /// It waits already with a more urgent priority, which it keeps.
    Kept,
    /// There is no such index; nothing was created.
    Unknown,
}

/// The indexes that wait for their optimization, and those being optimized.
#[derive(Debug, Default)]
pub struct OptimizationQueue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: BTreeMap<IndexCode, Place>,
    order: BTreeSet<(Place, IndexCode)>,
    running: BTreeMap<IndexCode, Urgency>,
    arrivals: u64,
}

/// A place in the queue: the least is served next.
#[derive(Clone, Copy, Debug)]
struct Place {
    urgency: Urgency,
    // Number of the arrival; kept when the urgency is replaced, so that discovery's refreshing of all
    // scores doesn't send anyone to the back.
    arrival: u64,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.urgency.priority.cmp(&other.urgency.priority))
            .then(other.urgency.score.total_cmp(&self.urgency.score))
            .then(self.arrival.cmp(&other.arrival))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

impl OptimizationQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Enqueues an index if it has a folder. A score that is not a number counts as the lowest.
    ///
    /// # Errors
    /// If the disk can't say whether the index exists.
    pub async fn enqueue<D: Disk>(
        &self,
        store: &Store<D>,
        code: &IndexCode,
        urgency: Urgency,
    ) -> Result<Enqueued> {
        match store.disk().metadata(&store.layout().index(code)).await? {
            Some(found) if found.kind == EntryKind::Folder => Ok(self.enqueue_known(code, urgency)),
            _ => Ok(Enqueued::Unknown),
        }
    }

    /// Enqueues an index that the caller knows to exist.
    pub fn enqueue_known(&self, code: &IndexCode, mut urgency: Urgency) -> Enqueued {
        if urgency.score.is_nan() {
            urgency.score = f64::NEG_INFINITY;
        }
        let mut state = self.state();
        let (arrival, outcome) = match state.waiting.get(code).copied() {
            Some(place) if place.urgency.priority < urgency.priority => return Enqueued::Kept,
            Some(place) => {
                state.order.remove(&(place, code.clone()));
                (place.arrival, Enqueued::Replaced)
            }
            None => {
                state.arrivals += 1;
                (state.arrivals, Enqueued::Added)
            }
        };
        let place = Place { urgency, arrival };
        state.waiting.insert(code.clone(), place);
        state.order.insert((place, code.clone()));
        outcome
    }

    /// Takes the most urgent index; it counts as being optimized until [`Self::finished`].
    pub fn take(&self) -> Option<IndexCode> {
        let mut state = self.state();
        let (place, code) = state.order.pop_first()?;
        state.waiting.remove(&code);
        state.running.insert(code.clone(), place.urgency);
        Some(code)
    }

    /// The index taken by [`Self::take`] is done with, well or badly. If it was enqueued again meanwhile, it
    /// waits again.
    pub fn finished(&self, code: &IndexCode) {
        self.state().running.remove(code);
    }

    /// The index is gone: it waits no longer.
    pub fn forget(&self, code: &IndexCode) {
        let mut state = self.state();
        if let Some(place) = state.waiting.remove(code) {
            state.order.remove(&(place, code.clone()));
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that wait or are being optimized, by code.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<IndexCode, Urgency> {
        let state = self.state();
        let mut all = state.running.clone();
        all.extend(state.waiting.iter().map(|(code, place)| (code.clone(), place.urgency)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::store;
    use crate::testing::{MemDisk, run};
    use std::path::Path;

    fn code(text: &str) -> IndexCode {
        IndexCode::new(text.as_bytes()).unwrap()
    }

    fn put(queue: &OptimizationQueue, index: &str, priority: i32, score: f64) -> Enqueued {
        queue.enqueue_known(&code(index), Urgency { priority, score })
    }

    fn drain(queue: &OptimizationQueue) -> String {
        let mut served = String::new();
        while let Some(code) = queue.take() {
            served.push_str(code.as_str());
            queue.finished(&code);
        }
        served
    }

    #[test]
    fn lower_priority_number_first_then_higher_score_then_who_came_first() {
        let queue = OptimizationQueue::new();
        for (index, priority, score) in [
            ("z", 10, 1.0),
            ("b", 10, 5.0),
            ("c", 1, 0.5),
            ("a", 10, 1.0),
            ("n", 10, f64::NAN),
            ("m", -3, -1.0),
        ] {
            assert_eq!(put(&queue, index, priority, score), Enqueued::Added);
        }
        assert_eq!(queue.len(), 6);
        assert_eq!(drain(&queue), "mcbzan");
    }

    #[test]
    fn only_an_equal_or_more_urgent_priority_replaces() {
        let queue = OptimizationQueue::new();
        put(&queue, "x", 5, 1.0);
        put(&queue, "y", 5, 2.0);
        assert_eq!(put(&queue, "x", 10, 99.0), Enqueued::Kept);
        assert_eq!(queue.snapshot()[&code("x")], Urgency { priority: 5, score: 1.0 });
        assert_eq!(put(&queue, "y", 5, 0.5), Enqueued::Replaced, "also by a lower score");
        assert_eq!(drain(&queue), "xy");
        put(&queue, "x", 5, 1.0);
        put(&queue, "y", 5, 2.0);
        assert_eq!(put(&queue, "x", 4, 0.0), Enqueued::Replaced);
        assert_eq!(drain(&queue), "xy");
    }

    #[test]
    fn refreshing_a_score_keeps_the_place_among_equals() {
        let queue = OptimizationQueue::new();
        put(&queue, "first", 10, 1.0);
        put(&queue, "later", 10, 1.0);
        put(&queue, "first", 10, 1.0);
        assert_eq!(queue.take(), Some(code("first")));
    }

    #[test]
    fn what_is_enqueued_while_it_is_being_optimized_waits_again() {
        let queue = OptimizationQueue::new();
        put(&queue, "x", 5, 1.0);
        let running = queue.take().unwrap();
        assert_eq!(queue.snapshot().len(), 1, "shown until it is finished");
        assert_eq!(put(&queue, "x", 10, 3.0), Enqueued::Added);
        queue.finished(&running);
        assert_eq!(queue.snapshot()[&code("x")].priority, 10);
        queue.forget(&code("x"));
        assert!(queue.is_empty() && queue.take().is_none());
    }

    #[test]
    fn an_unknown_index_is_not_enqueued_and_gets_no_folder() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data"), None));
        let queue = OptimizationQueue::new();
        let urgency = Urgency { priority: 1, score: 1.0 };
        let enqueue = |name| run(queue.enqueue(&store(&disk, &layout), &code(name), urgency)).unwrap();
        assert_eq!(enqueue("ghost"), Enqueued::Unknown);
        assert!(run(disk.metadata(&layout.index(&code("ghost")))).unwrap().is_none());
        disk.put(layout.segments(&code("real")).join("x"), b"");
        assert_eq!(enqueue("real"), Enqueued::Added);
        assert_eq!(queue.len(), 1);
    }
}
