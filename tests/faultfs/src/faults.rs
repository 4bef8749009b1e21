//! What goes wrong, and when.

use std::ops::Range;
use std::time::Duration;

/// What the kernel asks of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Read a range.
    Read,
    /// Write a range.
    Write,
    /// Make all that was written durable.
    Flush,
}

impl Operation {
    pub(crate) const KINDS: usize = 3;
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// EIO; nothing is read or written.
    Eio,
    /// ENOSPC, as a thinly provisioned drive says; nothing is written.
    Enospc,
    /// It takes this much longer.
    Delay(Duration),
}

/// A fault.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which operations it strikes.
    pub operation: Operation,
    /// Which bytes of the drive; a flush concerns all of them. Empty: anywhere.
    pub ranges: Vec<Range<u64>>,
    /// How many matching operations go by first.
    pub skip: u64,
    /// How many are struck.
    pub times: u64,
    /// What happens to them.
    pub effect: Effect,
}

impl Rule {
    /// Strikes every such operation, anywhere.
    #[must_use]
    pub const fn every(operation: Operation, effect: Effect) -> Self {
        Self { operation, ranges: Vec::new(), skip: 0, times: u64::MAX, effect }
    }

    /// Strikes the next such operation, anywhere.
    #[must_use]
    pub const fn next(operation: Operation, effect: Effect) -> Self {
        Self { operation, ranges: Vec::new(), skip: 0, times: 1, effect }
    }

    /// Whether it strikes; counts the operation.
    pub(crate) fn strikes(&mut self, operation: Operation, bytes: &Range<u64>) -> bool {
        let hit = self.operation == operation
            && (self.ranges.is_empty()
                || operation == Operation::Flush
                || self.ranges.iter().any(|range| range.start < bytes.end && bytes.start < range.end));
        if !hit || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_as_often_as_it_says_where_it_says() {
        let mut rule = Rule {
            ranges: std::iter::once(100..200).collect(),
            skip: 1,
            ..Rule::next(Operation::Write, Effect::Eio)
        };
        assert!(!rule.strikes(Operation::Read, &(100..200)));
        assert!(!rule.strikes(Operation::Write, &(200..300)));
        assert!(!rule.strikes(Operation::Write, &(150..160)), "one goes by");
        assert!(rule.strikes(Operation::Write, &(199..300)));
        assert!(!rule.strikes(Operation::Write, &(150..160)), "only once");
    }
}
