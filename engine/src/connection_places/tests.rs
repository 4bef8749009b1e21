//! Connections that come, rest, ask and give way; and all of it against a model that looks at each every time.

mod model;

use std::collections::BTreeMap;

use super::*;

const SECOND: u64 = 1_000_000_000;

/// A port, and what its connections are doing.
struct Port {
    places: ConnectionPlaces<u8>,
    standing: BTreeMap<u64, Standing>,
    next: u64,
}

impl Port {
    fn new(places: usize) -> Self {
        Self { places: ConnectionPlaces::new(places), standing: BTreeMap::new(), next: 0 }
    }

    /// One more connection of this peer: its number, and who went for it.
    fn come(&mut self, peer: u8, second: u64) -> Result<(u64, Option<u64>), Full> {
        let now = MonoNanos(second * SECOND);
        let gone = self.places.make_room(&peer, now, |number| self.standing[&number])?;
        self.next += 1;
        self.places.come(self.next, peer, now);
        self.standing.insert(self.next, Standing::Resting { since: now });
        Ok((self.next, gone))
    }

    fn asks(&mut self, number: u64) {
        self.places.asked(number);
        self.standing.insert(number, Standing::Busy);
    }

    fn rests(&mut self, number: u64, second: u64) {
        let since = MonoNanos(second * SECOND);
        self.places.asked(number);
        self.standing.insert(number, Standing::Resting { since });
    }
}

#[test]
fn who_has_rested_longest_gives_way_and_who_is_busy_stays() {
    let mut port = Port::new(4);
    for peer in 1..=4 {
        assert_eq!(port.come(peer, 0), Ok((peer.into(), None)));
    }
    for (number, second) in [(1, 30), (2, 20), (3, 10)] {
        port.rests(number, second);
    }
    port.asks(4);
    assert_eq!(port.come(5, 40), Ok((5, Some(3))));
    port.rests(5, 40);
    port.rests(2, 41);
    assert_eq!(port.come(6, 42), Ok((6, Some(1))), "the second has asked meanwhile");
    port.rests(6, 43);
    port.rests(4, 44);
    assert_eq!(port.come(7, 45), Ok((7, Some(5))));
    for number in [2, 6, 4, 7] {
        port.asks(number);
    }
    assert_eq!(port.come(8, 46), Err(Full));
    port.rests(6, 47);
    assert_eq!(port.come(8, 48), Ok((8, Some(6))));
    port.places.gone(8);
    port.places.gone(8);
    assert_eq!(port.come(9, 48), Ok((9, None)), "a place was free");
    assert_eq!(port.places.len(), 4);
}

#[test]
fn the_peer_that_has_most_gives_way_first() {
    let mut port = Port::new(16);
    let (quiet, _) = port.come(1, 0).unwrap();
    port.rests(quiet, 0);
    for second in 1..16 {
        let (number, _) = port.come(2, second).unwrap();
        port.rests(number, second);
    }
    // Its own next ones cost it one each, too.
    for (peer, gone) in [(2, 2), (3, 3), (4, 4), (2, 5), (5, 6)] {
        let (number, went) = port.come(peer, 20).unwrap();
        assert_eq!(went, Some(gone));
        port.rests(number, 20);
    }
}

#[test]
fn no_peer_grows_at_the_cost_of_those_that_have_fewer() {
    let mut port = Port::new(16);
    for peer in 1..=4 {
        let (number, _) = port.come(peer, 0).unwrap();
        port.rests(number, 0);
    }
    for second in 1..=12 {
        let (number, _) = port.come(9, second).unwrap();
        port.asks(number);
    }
    assert_eq!(port.come(9, 20), Err(Full), "all of its own are busy");
    assert_eq!(port.come(5, 20), Ok((17, Some(1))), "of those that have rested as long the first");
    port.rests(10, 21);
    assert_eq!(port.come(9, 22), Ok((18, Some(10))));
}

#[test]
fn who_never_asked_goes_after_a_while_before_those_who_have() {
    let mut port = Port::new(6);
    for number in 1..=5 {
        port.come(1, 0).unwrap();
        port.rests(number, number);
    }
    port.come(1, 6).unwrap();
    assert_eq!(port.come(1, 7), Ok((7, Some(1))), "the silent one has hardly come");
    assert_eq!(port.come(1, 11), Ok((8, Some(6))), "silent for long enough");
    assert_eq!(port.come(1, 11), Ok((9, Some(2))));
    assert_eq!(port.come(1, 11), Ok((10, Some(3))), "half of the places are theirs now");
    assert_eq!(port.come(1, 11), Ok((11, Some(7))), "and no more than half");
    assert_eq!(port.come(1, 11), Ok((12, Some(8))));
}

#[test]
fn where_all_are_busy_nobody_is_looked_for_each_time() {
    let (mut places, looks) = (ConnectionPlaces::new(100), std::cell::Cell::new(0));
    for number in 0..100 {
        places.come(number, number % 50, MonoNanos(0));
    }
    let busy = |_| {
        looks.set(looks.get() + 1);
        Standing::Busy
    };
    for flood in 0..1000 {
        assert_eq!(places.make_room(&1000, MonoNanos(SECOND + flood), busy), Err(Full));
    }
    assert!(looks.get() <= 300, "{} looks", looks.get());
}
