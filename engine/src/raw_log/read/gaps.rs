//! Which ordinals of an epoch are there, and which are missing.

use crate::ids::Position;

/// Sets of ordinals, as ranges `[first, end)` in any order, which may overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::raw_log) struct Spans(Vec<(u32, u32)>);

impl Spans {
    /// Adds the positions from `first` up to `end`, both of the same epoch.
    pub(in crate::raw_log) fn add(&mut self, first: Position, end: Position) {
        let first_ordinal = first.ordinal();
        let records = u32::try_from(end.packed() - first.packed()).expect("positions of one epoch");
        self.add_ordinals(first_ordinal, first_ordinal + records);
    }

    /// Adds the ordinals `[first, end)`.
    pub(in crate::raw_log) fn add_ordinals(&mut self, first: u32, end: u32) {
        match self.0.last_mut() {
            _ if first >= end => {}
            Some(last) if last.1 == first => last.1 = end,
            _ => self.0.push((first, end)),
        }
    }

    /// Adds all of another set.
    pub(in crate::raw_log) fn add_all(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Whether this ordinal is one of them.
    pub(in crate::raw_log) fn contains(&self, ordinal: u32) -> bool {
        self.0.iter().any(|(first, end)| (*first..*end).contains(&ordinal))
    }

    /// Just past the greatest ordinal.
    pub(in crate::raw_log) fn end(&self) -> u32 {
        self.0.iter().map(|span| span.1).max().unwrap_or(0)
    }

    /// The same set as ascending ranges that don't touch.
    pub(in crate::raw_log) fn normalized(mut self) -> Vec<(u32, u32)> {
        self.0.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::new();
        for (first, end) in self.0 {
            match out.last_mut() {
                Some(last) if first <= last.1 => last.1 = last.1.max(end),
                _ => out.push((first, end)),
            }
        }
        out
    }

    /// What is missing of the ordinals before `total`.
    pub(in crate::raw_log) fn gaps(self, total: u32) -> Self {
        let mut missing = Self::default();
        let mut next = 0;
        for (first, end) in self.normalized() {
            missing.add_ordinals(next, first.min(total));
            next = end;
        }
        missing.add_ordinals(next, total);
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_no_span_covers() {
        let mut spans = Spans::default();
        for (first, end) in [(5, 7), (0, 2), (7, 9), (6, 8), (12, 13), (3, 3)] {
            spans.add_ordinals(first, end);
        }
        assert_eq!(spans.end(), 13);
        assert_eq!(
            [1, 2, 7, 12, 13].map(|ordinal| spans.contains(ordinal)),
            [true, false, true, true, false]
        );
        assert_eq!(spans.clone().gaps(15).normalized(), [(2, 5), (9, 12), (13, 15)]);
        assert_eq!(spans.clone().gaps(13).normalized(), [(2, 5), (9, 12)]);
        assert_eq!(spans.gaps(1).normalized(), []);
        assert_eq!(Spans::default().gaps(3).normalized(), [(0, 3)]);
    }
}
