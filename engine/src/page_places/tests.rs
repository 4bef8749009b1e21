//! Places asked for, measured, and given up.

mod lines;

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
    places.taken(honest, 1300 * 1024);
    assert_eq!(places.in_the_way(MonoNanos(5 * SECOND)), None, "nobody waits");
    let next = places.ask("a");
    assert_eq!(places.in_the_way(MonoNanos(5 * SECOND)), Some(deaf));
    places.leave(deaf);
    assert_eq!(granted(&mut places), [next]);
    // Whoever stops later is found, too, however much it took before.
    places.sending(next, MonoNanos(5 * SECOND));
    places.taken(next, 4 << 20);
    places.ask("a");
    places.taken(honest, 1300 * 1024);
    assert_eq!(places.in_the_way(MonoNanos(6 * SECOND)), None);
    places.taken(honest, 1300 * 1024);
    assert_eq!(places.in_the_way(MonoNanos(10 * SECOND)), None, "its bytes may be on their way");
    assert_eq!(places.in_the_way(MonoNanos(11 * SECOND)), Some(next));
    places.taken(next, 1300 * 1024);
    assert_eq!(places.in_the_way(MonoNanos(12 * SECOND)), None, "it goes on");
    places.leave(next);
    places.grant();
    assert_eq!(places.in_the_way(MonoNanos(30 * SECOND)), None);
}

#[test]
fn a_slow_page_gives_way_when_no_place_becomes_free() {
    let mut places = PagePlaces::new(3);
    let names = [places.ask("a"), places.ask("a"), places.ask("b")];
    assert_eq!(granted(&mut places).len(), 3);
    for (name, bytes) in names.into_iter().zip([900 * 1024, 800 * 1024, 100 * 1024]) {
        places.sending(name, MonoNanos(0));
        places.taken(name, bytes);
    }
    let next = places.ask("c");
    assert_eq!(places.in_the_way(MonoNanos(4 * SECOND)), None, "not measured yet");
    // Of the peer that has most places the one that loses least.
    assert_eq!(places.in_the_way(MonoNanos(5 * SECOND)), Some(names[1]));
    places.leave(names[1]);
    assert_eq!(granted(&mut places), [next]);
    // All have as many now: nothing is won but from who is slow on purpose, so that takes longer.
    places.sending(next, MonoNanos(5 * SECOND));
    places.ask("d");
    for tenth in 50..=99 {
        for name in [names[0], names[2], next] {
            places.taken(name, 10 * 1024);
        }
        assert_eq!(places.in_the_way(MonoNanos(tenth * SECOND / 10)), None);
    }
    assert_eq!(places.in_the_way(MonoNanos(10 * SECOND)), Some(next));
}

#[test]
fn no_slow_page_gives_way_while_places_become_free() {
    let mut places = PagePlaces::new(2);
    let slow = places.ask("a");
    places.ask("a");
    granted(&mut places);
    places.sending(slow, MonoNanos(0));
    for second in 1..60 {
        let next = places.ask("a");
        places.taken(slow, 20 * 1024);
        let other = *places.holders.keys().find(|name| **name != slow).unwrap();
        assert_eq!(places.in_the_way(MonoNanos(second * SECOND)), None);
        places.leave(other);
        assert_eq!(granted(&mut places), [next]);
    }
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
