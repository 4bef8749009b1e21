//! Who may have a page of a recovery in memory.
//!
//! There are few places, and a peer that asks for a page and takes none of it would keep its place for as long as its
//! patience is granted. So while others wait, a peer keeps its place only by taking its page, and the next place goes to
//! the peer that has the fewest.
//!
//! Many recoveries over one slow line are each slow, and a page that is given up was sent in vain. So a slow page gives
//! way only when no place has become free in another way for a while, and of several the one that loses least.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::MonoNanos;

/// How fast a page is taken is measured over this time. On a line that is shared, one of them may be given nothing for
/// seconds.
const STRETCH: Duration = Duration::from_secs(5);
/// Who takes so much in a stretch is in nobody's way: it is done in 20 s.
const STRETCH_BYTES_MIN: u64 = 1280 * 1024;
/// Who takes less than this for as long as a stretch is taken to listen no more. It is little: where many share a bad
/// line, some of them are given hardly anything.
const BYTES_HEARD_MIN: u64 = 4 * 1024;
/// A slow page gives way after no place became free for so long: to a peer that has fewer places than its own.
const PATIENCE_UNEVEN: Duration = Duration::from_secs(1);
/// To a peer that has as many: nothing is won by it unless the page is slow on purpose.
const PATIENCE_EVEN: Duration = STRETCH;

/// The places, their holders, and those that wait. `Peer` is what tells one machine from another.
#[derive(Debug)]
pub struct PagePlaces<Peer> {
    free: usize,
    holders: BTreeMap<u64, Holder<Peer>>,
    waiting: VecDeque<(u64, Peer)>,
    next: u64,
    /// Whether a place became free since the last look for one that is in the way.
    left: bool,
    /// When that look was that last saw one become free.
    left_at: MonoNanos,
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
        /// What was taken in the stretch before.
        last: Option<u64>,
        /// When it was last seen to take anything, and what it has taken since, which is hardly anything.
        heard_at: MonoNanos,
        heard_bytes: u64,
        /// What was taken in all.
        total_bytes: u64,
    },
}

impl<Peer: Clone + Ord> PagePlaces<Peer> {
    /// So many places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self {
            free: places.max(1),
            holders: BTreeMap::new(),
            waiting: VecDeque::new(),
            next: 0,
            left: false,
            left_at: MonoNanos(0),
        }
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
        let (name, peer) = self.waiting.remove(self.first()?)?;
        self.free -= 1;
        self.holders.insert(name, Holder { peer, state: State::Reading });
        Some(name)
    }

    /// Who of those that wait comes next.
    fn first(&self) -> Option<usize> {
        (0..self.waiting.len()).min_by_key(|&place| self.held(&self.waiting[place].1))
    }

    /// How many places a peer has.
    fn held(&self, peer: &Peer) -> usize {
        self.holders.values().filter(|holder| holder.peer == *peer).count()
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
            holder.state = State::Sending {
                since: now,
                taken_bytes: 0,
                last: None,
                heard_at: now,
                heard_bytes: 0,
                total_bytes: 0,
            };
        }
    }

    /// The peer has taken more of its page.
    pub fn taken(&mut self, name: u64, bytes: u64) {
        if let Some(Holder { state: State::Sending { taken_bytes, heard_bytes, total_bytes, .. }, .. }) =
            self.holders.get_mut(&name)
        {
            *taken_bytes += bytes;
            *heard_bytes += bytes;
            *total_bytes += bytes;
        }
    }

    /// A place is free again, or not waited for any more.
    pub fn leave(&mut self, name: u64) {
        if self.holders.remove(&name).is_some() {
            self.free += 1;
            self.left = true;
        } else {
            self.waiting.retain(|(waiting, _)| *waiting != name);
        }
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Who has to leave now for those that wait: what was only read ahead; then who takes nothing; then, where no place
    /// becomes free otherwise, of the slow ones of the peer that has most places the one that took least. It counts as a
    /// holder until it has left. `now` is by a clock that runs while somebody waits and the host keeps up: what the host
    /// does not send for lack of time is no peer's fault.
    pub fn in_the_way(&mut self, now: MonoNanos) -> Option<u64> {
        if std::mem::take(&mut self.left) {
            self.left_at = now;
        }
        for holder in self.holders.values_mut() {
            holder.state.measure(now);
        }
        if self.free > 0 {
            return None;
        }
        let next = &self.waiting[self.first()?].1;
        if let Some((name, _)) = self.holders.iter().find(|(_, holder)| matches!(holder.state, State::Ahead))
        {
            return Some(*name);
        }
        let sending = || {
            self.holders.iter().filter_map(|(name, holder)| match &holder.state {
                State::Sending { since: _, taken_bytes, last, heard_at, heard_bytes: _, total_bytes } => {
                    // Who begins to take it again is not what it was.
                    let taken = last.map(|last| last.max(*taken_bytes));
                    Some((*name, &holder.peer, taken, *heard_at, *total_bytes))
                }
                State::Reading | State::Ahead => None,
            })
        };
        let deaf = sending().filter(|(.., heard_at, _)| now.since(*heard_at) >= STRETCH);
        if let Some((name, ..)) = deaf.min_by_key(|(.., heard_at, total)| (*heard_at, *total)) {
            return Some(name);
        }
        let slow = sending().filter(|(_, _, taken, ..)| taken.is_some_and(|taken| taken < STRETCH_BYTES_MIN));
        let (name, peer, ..) =
            slow.min_by_key(|(_, peer, .., total)| (std::cmp::Reverse(self.held(peer)), *total))?;
        let uneven = self.held(peer) > self.held(next) + 1;
        let patience = if uneven { PATIENCE_UNEVEN } else { PATIENCE_EVEN };
        (now.since(self.left_at) >= patience).then_some(name)
    }
}

impl State {
    /// Notes that it takes something, and begins another stretch where one has ended.
    fn measure(&mut self, now: MonoNanos) {
        let Self::Sending { since, taken_bytes, last, heard_at, heard_bytes, .. } = self else { return };
        if *heard_bytes >= BYTES_HEARD_MIN {
            (*heard_at, *heard_bytes) = (now, 0);
        }
        if now.since(*since) >= STRETCH {
            *last = Some(*taken_bytes);
            (*since, *taken_bytes) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests;
