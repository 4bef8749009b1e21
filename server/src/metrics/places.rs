//! Who holds the places of a port that has few of them.

use std::collections::BTreeMap;
use std::time::Instant;

/// The connections that hold a place, by a number of their own.
#[derive(Debug)]
pub(super) struct Places<H> {
    most: usize,
    held: BTreeMap<u64, Place<H>>,
    next: u64,
}

#[derive(Debug)]
struct Place<H> {
    handle: H,
    /// Whether a whole request has come from it at all.
    has_asked: bool,
    /// Its request is being answered.
    is_busy: bool,
    /// Since it came, or since its last answer.
    waits_since: Instant,
}

impl<H> Places<H> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, held: BTreeMap::new(), next: 0 }
    }

    /// Makes room for one more. If all places are taken, the connection that is worth least has to go: of those that have
    /// asked for nothing yet the oldest, else the one whose last answer is longest ago. Returns what is to end. `Err` if
    /// everybody is being answered.
    pub(super) fn make_room(&mut self) -> Result<Option<H>, Full> {
        if self.held.len() < self.most {
            return Ok(None);
        }
        let waiting = self.held.iter().filter(|(_, place)| !place.is_busy);
        let least = waiting.min_by_key(|(_, place)| (place.has_asked, place.waits_since));
        let number = *least.ok_or(Full)?.0;
        Ok(self.held.remove(&number).map(|place| place.handle))
    }

    /// The number that the next to come will have.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn come(&mut self, number: u64, handle: H, now: Instant) {
        let place = Place { handle, has_asked: false, is_busy: false, waits_since: now };
        self.held.insert(number, place);
    }

    pub(super) fn gone(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// A whole request has come.
    pub(super) fn asked(&mut self, number: u64) {
        if let Some(place) = self.held.get_mut(&number) {
            (place.has_asked, place.is_busy) = (true, true);
        }
    }

    pub(super) fn answered(&mut self, number: u64, now: Instant) {
        if let Some(place) = self.held.get_mut(&number) {
            (place.is_busy, place.waits_since) = (false, now);
        }
    }
}

/// All places are taken by connections that are being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_that_has_said_nothing_goes_first() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut places = Places::new(4);
        for name in ["scraper", "silent", "answered", "later"] {
            assert_eq!(places.make_room(), Ok(None));
            let number = places.number();
            places.come(number, name, at(number));
        }
        for number in [1, 3] {
            places.asked(number);
            places.answered(number, at(10 - number));
        }
        assert_eq!(places.make_room(), Ok(Some("silent")));
        assert_eq!(places.make_room(), Ok(None), "its place is free");
        let number = places.number();
        places.come(number, "last", at(20));
        assert_eq!(places.make_room(), Ok(Some("later")));
        places.come(places.next + 1, "busy", at(21));
        places.asked(places.next + 1);
        assert_eq!(places.make_room(), Ok(Some("last")), "silent, though it came last");
        places.come(places.next + 2, "busy too", at(22));
        places.asked(places.next + 2);
        assert_eq!(places.make_room(), Ok(Some("answered")), "at rest for longest");
        places.come(places.next + 3, "busy as well", at(23));
        places.asked(places.next + 3);
        places.asked(1);
        assert_eq!(places.make_room(), Err(Full));
        places.gone(1);
        assert_eq!(places.make_room(), Ok(None));
    }
}
