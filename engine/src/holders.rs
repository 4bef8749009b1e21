//! Memory that many peers hold at once: bounded in all, and who holds most for longest pays.

use std::collections::BTreeMap;

use crate::time::MonoNanos;

/// What peers hold, by their number.
#[derive(Debug)]
pub struct Holders {
    rows: BTreeMap<u64, Row>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Row {
    bytes: usize,
    /// When it began to hold anything.
    since: MonoNanos,
}

impl Holders {
    /// `bytes_max` in all.
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
        let row = self.rows.entry(peer).or_insert(Row { bytes: 0, since: now });
        self.bytes = self.bytes - row.bytes + bytes;
        row.bytes = bytes;
        let mut shed = Vec::new();
        // One alone holds no more than what was asked of it.
        while self.bytes > self.bytes_max && self.rows.len() > 1 {
            let holding = |row: &Row| row.bytes as u128 * (now.since(row.since).as_nanos() + 1);
            let most = self.rows.iter().max_by_key(|(_, row)| holding(row));
            let Some(most) = most.map(|(peer, _)| *peer) else { break };
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

    /// Bytes held in all.
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
        let mut holders = Holders::new(100);
        assert!(holders.hold(1, 40, MonoNanos(0)).is_empty());
        assert!(holders.hold(2, 30, MonoNanos(50)).is_empty());
        assert!(holders.hold(1, 40, MonoNanos(60)).is_empty(), "its time runs on");
        assert_eq!(holders.hold(3, 60, MonoNanos(100)), [1]);
        assert_eq!(holders.bytes(), 90);
        assert_eq!(holders.hold(2, 20, MonoNanos(110)), [0u64; 0]);
        holders.release(2);
        holders.release(2);
        assert_eq!(holders.bytes(), 60);
    }

    #[test]
    fn one_alone_may_hold_more_but_not_beside_others() {
        let mut holders = Holders::new(100);
        assert!(holders.hold(1, 101, MonoNanos(0)).is_empty());
        assert_eq!(holders.hold(2, 1, MonoNanos(1)), [1]);
        assert_eq!(holders.bytes(), 1);
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
