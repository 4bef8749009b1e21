//! Memory that many peers hold at once: bounded in all, and who holds most for longest pays.
//!
//! A single peer may hold more than the bound, since a long reply must be possible. So it counts as a part of the bound
//! only, and the others have the rest; who holds less than an equal part never pays.

use std::collections::BTreeMap;

use crate::time::MonoNanos;

/// The most that counts of one peer, as a part of the bound.
const PART_OF_ONE: usize = 4;

/// What peers hold, by their number.
#[derive(Debug)]
pub struct Holders {
    rows: BTreeMap<u64, Row>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Row {
    /// As far as they count.
    bytes: usize,
    /// When it began to hold anything.
    since: MonoNanos,
}

impl Holders {
    /// `bytes_max` in all, not counting what is beyond a quarter of it for one peer.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { rows: BTreeMap::new(), bytes: 0, bytes_max }
    }

    /// A peer holds so many bytes now. Returns those that have to go for the others, and counts them no more.
    #[must_use = "memory is bounded only if these let go of it"]
    pub fn hold(&mut self, peer: u64, bytes: usize, now: MonoNanos) -> Vec<u64> {
        if bytes == 0 {
            self.release(peer);
            return Vec::new();
        }
        let bytes = bytes.min(self.bytes_max / PART_OF_ONE);
        let row = self.rows.entry(peer).or_insert(Row { bytes: 0, since: now });
        self.bytes = self.bytes - row.bytes + bytes;
        row.bytes = bytes;
        let mut shed = Vec::new();
        // If all together hold too much, somebody holds more than this. To end who holds less would win little, and hit
        // the harmless.
        let equal_part = self.bytes_max / self.rows.len();
        while self.bytes > self.bytes_max {
            let holding = |row: &Row| row.bytes as u128 * (now.since(row.since).as_nanos() + 1);
            let large = self.rows.iter().filter(|(_, row)| row.bytes >= equal_part);
            let most = large.max_by_key(|(_, row)| holding(row)).map(|(peer, _)| *peer);
            let most = most.expect("not all hold less than an equal part");
            self.release(most);
            shed.push(most);
        }
        shed
    }

    /// A peer holds nothing any more.
    pub fn release(&mut self, peer: u64) {
        if let Some(row) = self.rows.remove(&peer) {
            self.bytes -= row.bytes;
        }
    }

    /// Bytes held in all, as far as they count.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_most_for_longest_goes_first() {
        let mut holders = Holders::new(200);
        assert!(holders.hold(1, 40, MonoNanos(0)).is_empty());
        assert!(holders.hold(2, 30, MonoNanos(50)).is_empty());
        assert!(holders.hold(1, 40, MonoNanos(60)).is_empty(), "its time runs on");
        for peer in [3, 4] {
            assert!(holders.hold(peer, 50, MonoNanos(90)).is_empty());
        }
        assert_eq!(holders.hold(5, 40, MonoNanos(100)), [1]);
        assert_eq!(holders.bytes(), 170);
        assert_eq!(holders.hold(2, 20, MonoNanos(110)), [0u64; 0]);
        holders.release(2);
        holders.release(2);
        assert_eq!(holders.bytes(), 140);
    }

    #[test]
    fn one_that_holds_more_than_all_may_ends_nobody() {
        let mut holders = Holders::new(100);
        for peer in 0..15 {
            assert!(holders.hold(peer, 4, MonoNanos(0)).is_empty());
        }
        assert!(holders.hold(20, 1000, MonoNanos(1000)).is_empty(), "it counts as a quarter");
        assert_eq!(holders.bytes(), 85);
        assert!(holders.hold(21, 15, MonoNanos(1000)).is_empty());
    }

    #[test]
    fn who_holds_little_is_not_ended_for_holding_it_long() {
        let mut holders = Holders::new(100);
        for peer in 0..15 {
            assert!(holders.hold(peer, 4, MonoNanos(0)).is_empty());
        }
        assert!(holders.hold(20, 25, MonoNanos(1_000_000)).is_empty());
        assert_eq!(holders.hold(21, 16, MonoNanos(1_000_000)), [20]);
        assert_eq!(holders.bytes(), 76);
    }

    #[test]
    fn long_replies_are_bounded_by_their_number() {
        let mut holders = Holders::new(100);
        for peer in 0..4 {
            assert!(holders.hold(peer, 1000, MonoNanos(peer)).is_empty());
        }
        assert_eq!(holders.hold(4, 1000, MonoNanos(10)), [0]);
        assert_eq!(holders.hold(5, 1, MonoNanos(20)), [1]);
    }

    #[test]
    fn several_go_if_one_is_not_enough() {
        let mut holders = Holders::new(100);
        for peer in 0..10 {
            assert!(holders.hold(peer, 10, MonoNanos(peer)).is_empty());
        }
        assert_eq!(holders.hold(10, 25, MonoNanos(20)), [0, 1, 2]);
        assert_eq!(holders.bytes(), 95);
    }
}
