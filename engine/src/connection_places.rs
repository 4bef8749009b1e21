//! Which connections of a port stay when there are as many as may be.
//!
//! To refuse the next one would leave the port to whoever came first and says nothing. So one that rests gives way: first
//! of the peer that has most, if that has much, or else the one that has rested longest. Who is in the middle of a call
//! stays, and no peer grows at the cost of those that have fewer.
//!
//! Nothing is noted while calls come and go, which is often: what a connection is doing is asked when it matters. Only the
//! first call counts: who has never asked for anything goes first, once such connections have half of the places, or it
//! has been silent for long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::MonoNanos;

/// A peer has much if it has more than this part of the places. So few of them can that all are looked at.
const PART_OF_MUCH: usize = 16;
/// Who has never asked for anything, and has been there for so long, goes before those who have.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Where all were found busy, nobody is looked for again for so long: a flood of peers may not take the time of those who
/// are being answered.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A part of a call has come, or it is being answered, or its reply is not taken yet; or it is being closed anyway.
    Busy,
    /// Nothing is under way.
    Resting {
        /// Since its last reply, or since it came.
        since: MonoNanos,
    },
}

/// All who could give way are in the middle of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The connections that have a place, by a number of their own. `Peer` is what tells one machine from another.
#[derive(Debug)]
pub struct ConnectionPlaces<Peer> {
    places: usize,
    notes: BTreeMap<u64, Note<Peer>>,
    /// All, by what is noted of them: whether it has asked, and a time since which it may have rested. It has not rested
    /// for longer.
    order: BTreeSet<(bool, MonoNanos, u64)>,
    /// The same, each peer's own together.
    order_of: BTreeSet<(Peer, bool, MonoNanos, u64)>,
    counts: BTreeMap<Peer, usize>,
    by_count: BTreeSet<(usize, Peer)>,
    /// How many have not asked for anything yet.
    silent: usize,
    /// Whose connections were all found busy (`None`: everybody's), and until when that is believed.
    busy: BTreeMap<Option<Peer>, MonoNanos>,
}

#[derive(Debug)]
struct Note<Peer> {
    peer: Peer,
    has_asked: bool,
    since: MonoNanos,
}

impl<Peer: Clone + Ord> ConnectionPlaces<Peer> {
    /// So many places.
    #[must_use]
    pub const fn new(places: usize) -> Self {
        Self {
            places,
            notes: BTreeMap::new(),
            order: BTreeSet::new(),
            order_of: BTreeSet::new(),
            counts: BTreeMap::new(),
            by_count: BTreeSet::new(),
            silent: 0,
            busy: BTreeMap::new(),
        }
    }

    /// How many have a place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.notes.len()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// Makes room for one more connection of `peer`. Returns the one that is to be closed for it, if there has to be one;
    /// its place is free at once. `standing` says what a connection is doing, and has to be quick.
    ///
    /// # Errors
    /// [`Full`] if none can give way: the connection is to be refused.
    pub fn make_room(
        &mut self,
        peer: &Peer,
        now: MonoNanos,
        standing: impl Fn(u64) -> Standing,
    ) -> Result<Option<u64>, Full> {
        if self.len() < self.places {
            return Ok(None);
        }
        self.busy.retain(|_, until| *until > now);
        let number = self.least(peer, now, &standing).ok_or(Full)?;
        self.gone(number);
        Ok(Some(number))
    }

    /// A connection has come. Its number is new.
    pub fn come(&mut self, number: u64, peer: Peer, now: MonoNanos) {
        self.count(&peer, |count| count + 1);
        self.insert(number, Note { peer, has_asked: false, since: now });
    }

    /// A connection has asked for something, which only counts the first time.
    pub fn asked(&mut self, number: u64) {
        if let Some(note) = self.notes.get(&number)
            && !note.has_asked
        {
            let since = note.since;
            self.note(number, true, since);
        }
    }

    /// A connection has ended, whether or not it still had a place.
    pub fn gone(&mut self, number: u64) {
        if let Some(note) = self.remove(number) {
            self.count(&note.peer, |count| count - 1);
        }
    }

    /// Who has to go for one more of `peer`.
    fn least(&mut self, peer: &Peer, now: MonoNanos, standing: &impl Fn(u64) -> Standing) -> Option<u64> {
        let own = self.counts.get(peer).copied().unwrap_or(0);
        let much = self.places / PART_OF_MUCH;
        let holders = self.by_count.iter().rev().take_while(|(count, _)| *count > much && *count >= own);
        let holders: Vec<_> = holders.cloned().collect();
        for equal in holders.chunk_by(|(one, _), (other, _)| one == other) {
            let resting = equal.iter().filter_map(|(_, peer)| self.resting(Some(peer), now, standing));
            if let Some((.., number)) = resting.min() {
                return Some(number);
            }
        }
        let longest = if own > much { None } else { self.resting(None, now, standing) };
        longest.map(|(.., number)| number)
    }

    /// The connection of a peer, or of all, that is to go first: whether it goes later than those that are silent, since
    /// when it rests, and its number.
    fn resting(
        &mut self,
        of: Option<&Peer>,
        now: MonoNanos,
        standing: &impl Fn(u64) -> Standing,
    ) -> Option<(bool, MonoNanos, u64)> {
        let of = of.cloned();
        if self.busy.contains_key(&of) {
            return None;
        }
        let many_silent = self.silent > self.places / 2;
        let mut one = |has_asked| {
            let (since, number) = self.longest(of.as_ref(), has_asked, now, standing)?;
            let silent = !has_asked && (many_silent || now.since(since) >= SILENCE_MAX);
            Some((!silent, since, number))
        };
        let found = [one(false), one(true)].into_iter().flatten().min();
        if found.is_none() {
            self.busy.insert(of, now + LOOK_EVERY);
        }
        found
    }

    /// Who has rested longest of those that have asked, or have not.
    fn longest(
        &mut self,
        of: Option<&Peer>,
        has_asked: bool,
        now: MonoNanos,
        standing: &impl Fn(u64) -> Standing,
    ) -> Option<(MonoNanos, u64)> {
        loop {
            let first = self.noted(of, has_asked).next();
            let Some((since, number)) = first.filter(|(since, _)| *since < now) else { break };
            match standing(number) {
                Standing::Resting { since: resting } if resting == since => return Some((since, number)),
                Standing::Resting { since: resting } => self.note(number, has_asked, resting),
                Standing::Busy => self.note(number, has_asked, now),
            }
        }
        // Whoever is left was busy a moment ago.
        self.noted(of, has_asked).find(|(_, number)| standing(*number) != Standing::Busy)
    }

    fn noted(
        &self,
        of: Option<&Peer>,
        has_asked: bool,
    ) -> impl Iterator<Item = (MonoNanos, u64)> + use<'_, Peer> {
        let (first, last) = (MonoNanos(0), MonoNanos(u64::MAX));
        let of_one = of.map(|peer| {
            let range = (peer.clone(), has_asked, first, 0)..=(peer.clone(), has_asked, last, u64::MAX);
            self.order_of.range(range).map(|(.., since, number)| (*since, *number))
        });
        let of_all = of.is_none().then(|| {
            let range = (has_asked, first, 0)..=(has_asked, last, u64::MAX);
            self.order.range(range).map(|(_, since, number)| (*since, *number))
        });
        of_one.into_iter().flatten().chain(of_all.into_iter().flatten())
    }

    fn note(&mut self, number: u64, has_asked: bool, since: MonoNanos) {
        if let Some(note) = self.remove(number) {
            self.insert(number, Note { has_asked, since, ..note });
        }
    }

    fn insert(&mut self, number: u64, note: Note<Peer>) {
        let Note { peer, has_asked, since } = &note;
        self.silent += usize::from(!has_asked);
        self.order.insert((*has_asked, *since, number));
        self.order_of.insert((peer.clone(), *has_asked, *since, number));
        let before = self.notes.insert(number, note);
        assert!(before.is_none(), "a number was used twice");
    }

    fn remove(&mut self, number: u64) -> Option<Note<Peer>> {
        let note = self.notes.remove(&number)?;
        self.silent -= usize::from(!note.has_asked);
        self.order.remove(&(note.has_asked, note.since, number));
        self.order_of.remove(&(note.peer.clone(), note.has_asked, note.since, number));
        Some(note)
    }

    fn count(&mut self, peer: &Peer, change: impl Fn(usize) -> usize) {
        let before = self.counts.remove(peer).unwrap_or(0);
        self.by_count.remove(&(before, peer.clone()));
        let count = change(before);
        if count > 0 {
            self.counts.insert(peer.clone(), count);
            self.by_count.insert((count, peer.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
