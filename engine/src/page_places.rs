//! Who may have a page of a recovery in memory.
//!
//! There are few places, and a peer that asks for a page and takes none of it would keep its place for as long as its
//! patience is granted. So while others wait, a peer keeps its place only by taking its page at some speed, and the next
//! place goes to the peer that has the fewest.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::MonoNanos;

/// While others wait, a peer must take so much of its page in each stretch of this length. Less at once would be too hard:
/// the kernel has room for what is sent only from time to time.
const STRETCH: Duration = Duration::from_secs(1);
const STRETCH_BYTES_MIN: u64 = 256 * 1024;

/// The places, their holders, and those that wait. `Peer` is what tells one machine from another.
#[derive(Debug)]
pub struct PagePlaces<Peer> {
    free: usize,
    holders: BTreeMap<u64, Holder<Peer>>,
    waiting: VecDeque<(u64, Peer)>,
    next: u64,
}

#[derive(Debug)]
struct Holder<Peer> {
    peer: Peer,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its page is being read: what that takes is not its fault.
    Reading,
    /// Its page is being read before it asked for it.
    Ahead,
    Sending {
        /// When the stretch began that is being measured, and what was taken in it.
        since: MonoNanos,
        taken_bytes: u64,
        /// What was taken in the last stretch, if that was too little.
        slow: Option<u64>,
    },
}

impl<Peer: Clone + Ord> PagePlaces<Peer> {
    /// So many places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self { free: places.max(1), holders: BTreeMap::new(), waiting: VecDeque::new(), next: 0 }
    }

    /// A peer wants a place; [`Self::grant`] says when it has it. Returns what its place is called.
    pub fn ask(&mut self, peer: Peer) -> u64 {
        self.next += 1;
        self.waiting.push_back((self.next, peer));
        self.next
    }

    /// A place for what a peer will probably ask for, if nobody waits.
    pub fn ask_ahead(&mut self, peer: Peer) -> Option<u64> {
        if self.free == 0 || !self.waiting.is_empty() {
            return None;
        }
        self.free -= 1;
        self.next += 1;
        self.holders.insert(self.next, Holder { peer, state: State::Ahead });
        Some(self.next)
    }

    /// Gives a free place to the peer that has the fewest, of these to who asked first.
    pub fn grant(&mut self) -> Option<u64> {
        if self.free == 0 {
            return None;
        }
        let held = |peer: &Peer| self.holders.values().filter(|holder| holder.peer == *peer).count();
        let place = (0..self.waiting.len()).min_by_key(|&place| held(&self.waiting[place].1))?;
        let (name, peer) = self.waiting.remove(place)?;
        self.free -= 1;
        self.holders.insert(name, Holder { peer, state: State::Reading });
        Some(name)
    }

    /// What was read ahead is asked for.
    pub fn wanted(&mut self, name: u64) {
        if let Some(holder) = self.holders.get_mut(&name) {
            holder.state = State::Reading;
        }
    }

    /// The page is read: from now on it depends on the peer.
    pub fn sending(&mut self, name: u64, now: MonoNanos) {
        if let Some(holder) = self.holders.get_mut(&name) {
            holder.state = State::Sending { since: now, taken_bytes: 0, slow: None };
        }
    }

    /// The peer has taken more of its page.
    pub fn taken(&mut self, name: u64, bytes: u64) {
        if let Some(Holder { state: State::Sending { taken_bytes, .. }, .. }) = self.holders.get_mut(&name) {
            *taken_bytes += bytes;
        }
    }

    /// A place is free again, or not waited for any more.
    pub fn leave(&mut self, name: u64) {
        if self.holders.remove(&name).is_some() {
            self.free += 1;
        } else {
            self.waiting.retain(|(waiting, _)| *waiting != name);
        }
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Who has to leave now for those that wait: what was only read ahead, then the slowest of those that are too slow. It
    /// counts as a holder until it has left. `now` is by a clock that runs while somebody waits and the host keeps up:
    /// what the host does not send for lack of time is no peer's fault.
    pub fn in_the_way(&mut self, now: MonoNanos) -> Option<u64> {
        if self.free > 0 || self.waiting.is_empty() {
            return None;
        }
        if let Some((name, _)) = self.holders.iter().find(|(_, holder)| matches!(holder.state, State::Ahead))
        {
            return Some(*name);
        }
        let slow = self.holders.iter_mut().filter_map(|(name, holder)| match &mut holder.state {
            State::Sending { since, taken_bytes, slow } => {
                if now.since(*since) >= STRETCH {
                    *slow = (*taken_bytes < STRETCH_BYTES_MIN).then_some(*taken_bytes);
                    (*since, *taken_bytes) = (now, 0);
                }
                slow.map(|taken| (taken, *name))
            }
            State::Reading | State::Ahead => None,
        });
        slow.min().map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn granted(places: &mut PagePlaces<&str>) -> Vec<u64> {
        std::iter::from_fn(|| places.grant()).collect()
    }

    #[test]
    fn who_takes_nothing_gives_way_to_who_waits() {
        let mut places = PagePlaces::new(2);
        let (deaf, honest) = (places.ask("a"), places.ask("a"));
        assert_eq!(granted(&mut places), [deaf, honest]);
        places.sending(deaf, MonoNanos(0));
        places.sending(honest, MonoNanos(0));
        places.taken(honest, 300 * 1024);
        assert_eq!(places.in_the_way(MonoNanos(SECOND)), None, "nobody waits");
        let next = places.ask("a");
        assert_eq!(places.in_the_way(MonoNanos(SECOND / 4)), None, "its bytes may be on their way");
        assert_eq!(places.in_the_way(MonoNanos(SECOND)), Some(deaf));
        places.leave(deaf);
        assert_eq!(granted(&mut places), [next]);
        // Whoever stops later is found, too, however much it took before.
        places.sending(next, MonoNanos(SECOND));
        places.taken(next, 4 << 20);
        places.ask("a");
        places.taken(honest, 300 * 1024);
        assert_eq!(places.in_the_way(MonoNanos(2 * SECOND)), None);
        places.taken(honest, 300 * 1024);
        assert_eq!(places.in_the_way(MonoNanos(3 * SECOND)), Some(next));
        places.leave(next);
        places.grant();
        assert_eq!(places.in_the_way(MonoNanos(SECOND)), None);
    }

    #[test]
    fn a_peer_that_drips_is_too_slow_and_the_slowest_goes_first() {
        let mut places = PagePlaces::new(2);
        let names = [places.ask("a"), places.ask("b")];
        assert_eq!(granted(&mut places), names);
        for (name, bytes) in names.into_iter().zip([1000, 999]) {
            places.sending(name, MonoNanos(0));
            places.taken(name, bytes);
        }
        places.ask("c");
        assert_eq!(places.in_the_way(MonoNanos(10 * SECOND)), Some(names[1]));
        places.leave(names[1]);
        assert_eq!(places.in_the_way(MonoNanos(10 * SECOND)), None, "there is a place");
    }

    #[test]
    fn the_drive_is_no_peers_fault() {
        let mut places = PagePlaces::new(1);
        let name = places.ask("a");
        assert_eq!(granted(&mut places), [name]);
        places.ask("b");
        assert_eq!(places.in_the_way(MonoNanos(100 * SECOND)), None);
    }

    #[test]
    fn what_is_read_ahead_gives_way_at_once() {
        let mut places = PagePlaces::new(1);
        let ahead = places.ask_ahead("a").unwrap();
        assert_eq!(places.ask_ahead("a"), None, "no place");
        let name = places.ask("b");
        assert_eq!(places.in_the_way(MonoNanos(0)), Some(ahead));
        places.leave(ahead);
        assert_eq!(places.ask_ahead("a"), None, "somebody waits");
        assert_eq!(granted(&mut places), [name]);
        places.leave(name);
        // Once it is asked for, it is a page like others.
        let ahead = places.ask_ahead("a").unwrap();
        places.wanted(ahead);
        places.ask("b");
        assert_eq!(places.in_the_way(MonoNanos(0)), None);
    }

    #[test]
    fn the_next_place_goes_to_the_peer_that_has_the_fewest() {
        let mut places = PagePlaces::new(2);
        let greedy: Vec<_> = (0..5).map(|_| places.ask("greedy")).collect();
        let modest = places.ask("modest");
        assert_eq!(granted(&mut places), [greedy[0], modest]);
        let (other, again) = (places.ask("other"), places.ask("modest"));
        places.leave(greedy[0]);
        assert_eq!(granted(&mut places), [greedy[1]], "it had none, and asked first");
        places.leave(modest);
        assert_eq!(granted(&mut places), [other]);
        places.leave(other);
        places.leave(again);
        assert_eq!(granted(&mut places), [greedy[2]], "who left does not come");
    }
}
