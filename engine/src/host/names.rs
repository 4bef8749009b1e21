//! The segments in use that have yet to be given their names.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::Error;
use crate::format::names::RawName;
use crate::mutant::bug;
use crate::time::MonoNanos;

/// Between two attempts at what needs a descriptor while there is none: the kernel says to nobody when they come back.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A file in use: the number in the name that it has, and the name that it is to have.
pub(super) type Unnamed = (u64, RawName);

/// They are named in the order in which they were taken into use.
#[derive(Debug, Default)]
pub(super) struct Names {
    waiting: VecDeque<Unnamed>,
    again_at: Option<MonoNanos>,
}

impl Names {
    /// A file is in use, and its header durable.
    pub(super) fn claimed(&mut self, ready: u64, name: RawName) {
        self.waiting.push_back((ready, name));
    }

    /// A file is to be removed: it needs no name.
    pub(super) fn abandoned(&mut self, ready: u64) {
        self.waiting.retain(|&(number, _)| number != ready);
    }

    /// Which file is to be named now.
    pub(super) fn due(&self, now: MonoNanos) -> Option<Unnamed> {
        self.waiting.front().copied().filter(|_| self.again_at.is_none_or(|at| now >= at))
    }

    /// When one is to be named; `None` if none waits for that.
    pub(super) fn again_at(&self) -> Option<MonoNanos> {
        self.again_at.filter(|_| !self.waiting.is_empty())
    }

    /// The first one has its name.
    pub(super) fn named(&mut self) {
        self.waiting.pop_front();
        self.again_at = None;
    }

    /// The first one could not be named; whether it is tried again. Without its name a segment is found all the same.
    pub(super) fn failed(&mut self, error: &Error, now: MonoNanos) -> Retry {
        if !error.is_shortage() || bug!(NameGivenUp) {
            return Retry::Never;
        }
        let first = self.again_at.replace(now + AGAIN_AFTER).is_none();
        Retry::Later { first }
    }

    /// Whether each file in use has its name.
    pub(super) fn are_given(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Whether naming is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The drive failed, or the file is not what its writer says.
    Never,
    /// Something was wanting that comes back.
    Later {
        /// It is wanting for the first time.
        first: bool,
    },
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::{DiskError, Verb};
    use crate::ids::{Epoch, ShardId};

    fn name(part: u32) -> RawName {
        RawName::Segment { epoch: Epoch::new(9).unwrap(), shard: ShardId(0), part }
    }

    fn failed(verb: Verb, code: i32) -> Error {
        DiskError::new(verb, Path::new("/x"), std::io::Error::from_raw_os_error(code)).into()
    }

    #[test]
    fn names_wait_for_a_descriptor_and_keep_their_order() {
        let (mut names, now) = (Names::default(), MonoNanos(3));
        names.claimed(4, name(0));
        names.claimed(5, name(1));
        assert_eq!(names.due(now), Some((4, name(0))));
        assert_eq!(names.failed(&failed(Verb::Open, 24), now), Retry::Later { first: true });
        assert_eq!(names.failed(&failed(Verb::Open, 24), now), Retry::Later { first: false });
        let later = now + AGAIN_AFTER;
        assert_eq!((names.due(now), names.again_at()), (None, Some(later)));
        assert_eq!(names.due(later), Some((4, name(0))));
        names.named();
        assert_eq!(names.due(now), Some((5, name(1))), "there are descriptors again");
        names.abandoned(5);
        assert!(names.are_given() && names.due(later).is_none() && names.again_at().is_none());
    }

    #[test]
    fn a_sync_that_failed_is_never_tried_again() {
        let mut names = Names::default();
        names.claimed(4, name(0));
        for error in [failed(Verb::Fsync, 5), failed(Verb::Fsync, 12), failed(Verb::Rename, 5)] {
            assert_eq!(names.failed(&error, MonoNanos(0)), Retry::Never, "{error}");
        }
    }
}
