//! Recoveries of whole indexes over lines that are slow, shared, and not fair.

use super::*;

const PAGE_BYTES: u64 = 5 << 20;
const PLACES: usize = 16;
/// Between two looks, as in production.
const STEP: Duration = Duration::from_millis(100);

/// A machine that recovers indexes over its own line.
struct Machine {
    name: u32,
    line_bytes_per_s: u64,
    recoveries: u64,
    pages: u64,
}

/// One index of a machine.
struct Recovery {
    machine: usize,
    pages_left: u64,
    /// What its place is called, and what is left of the page once it is being sent.
    place: u64,
    left: Option<u64>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    /// When the last recovery of each machine ended, in seconds.
    ended: Vec<f64>,
    given_up: u64,
}

/// A line gives each page a part that changes from second to second, and now and then nothing.
fn weight(recovery: usize, step: u64) -> u64 {
    let mixed = (recovery as u64 * 0x9e37_79b9 + step / 10).wrapping_mul(0xd134_2543_de82_ef95) >> 40;
    if mixed.is_multiple_of(4) { 0 } else { 1 + mixed % 8 }
}

fn recover(machines: &[Machine]) -> Outcome {
    let mut places = PagePlaces::new(PLACES);
    let mut recoveries: Vec<_> = (0..machines.len())
        .flat_map(|machine| (0..machines[machine].recoveries).map(move |_| machine))
        .map(|machine| {
            let place = places.ask(machines[machine].name);
            Recovery { machine, pages_left: machines[machine].pages, place, left: None }
        })
        .collect();
    let mut outcome = Outcome { ended: vec![0.0; machines.len()], given_up: 0 };
    let (mut now, mut step) = (MonoNanos(0), 0);
    while recoveries.iter().any(|recovery| recovery.pages_left > 0) {
        assert!(step < 100_000, "recoveries do not end: {outcome:?}");
        (now, step) = (now + STEP, step + 1);
        while let Some(place) = places.grant() {
            places.sending(place, now);
            let recovery = recoveries.iter_mut().find(|recovery| recovery.place == place);
            recovery.expect("someone asked").left = Some(PAGE_BYTES);
        }
        if places.is_waited_for()
            && let Some(place) = places.in_the_way(now)
        {
            places.leave(place);
            let recovery = recoveries.iter_mut().find(|recovery| recovery.place == place);
            let recovery = recovery.expect("someone has it");
            recovery.left = None;
            recovery.place = places.ask(machines[recovery.machine].name);
            outcome.given_up += 1;
        }
        for (number, machine) in machines.iter().enumerate() {
            let part = |index: usize, recovery: &Recovery| {
                let sent = recovery.machine == number && recovery.left.is_some();
                if sent { weight(index, step) } else { 0 }
            };
            let all: u64 = recoveries.iter().enumerate().map(|(index, recovery)| part(index, recovery)).sum();
            for (index, recovery) in recoveries.iter_mut().enumerate() {
                let bytes = machine.line_bytes_per_s / 10 * part(index, recovery) / all.max(1);
                let Some(left) = recovery.left.as_mut().filter(|_| bytes > 0) else { continue };
                *left = left.saturating_sub(bytes);
                places.taken(recovery.place, bytes);
                if *left == 0 {
                    places.leave(recovery.place);
                    recovery.left = None;
                    recovery.pages_left -= 1;
                    outcome.ended[number] = step as f64 * STEP.as_secs_f64();
                    if recovery.pages_left > 0 {
                        recovery.place = places.ask(machine.name);
                    }
                }
            }
        }
    }
    outcome
}

#[test]
fn many_recoveries_over_one_slow_line_all_end() {
    for line_bytes_per_s in [100 << 10, 300 << 10, 1 << 20, 3 << 20, 8 << 20] {
        let outcome = recover(&[Machine { name: 1, line_bytes_per_s, recoveries: 40, pages: 2 }]);
        let ideal = (40 * 2 * PAGE_BYTES) as f64 / line_bytes_per_s as f64;
        assert!(
            outcome.ended[0] < 1.5 * ideal,
            "{line_bytes_per_s} B/s: {outcome:?}, without loss {ideal} s"
        );
    }
}

#[test]
fn a_slow_line_keeps_nobody_else_waiting_for_long() {
    let slow = Machine { name: 1, line_bytes_per_s: 1 << 20, recoveries: 40, pages: 2 };
    let fast = Machine { name: 2, line_bytes_per_s: 100 << 20, recoveries: 1, pages: 40 };
    let outcome = recover(&[slow, fast]);
    assert!(outcome.ended[1] < 40.0 * 3.0, "{outcome:?}");
    let ideal = (40 * 2 * PAGE_BYTES) as f64 / (1 << 20) as f64;
    assert!(outcome.ended[0] < 1.5 * ideal, "{outcome:?}, without loss {ideal} s");
}

#[test]
fn more_slow_machines_than_places_all_end() {
    let machines: Vec<_> =
        (0..40).map(|name| Machine { name, line_bytes_per_s: 64 << 10, recoveries: 1, pages: 2 }).collect();
    let outcome = recover(&machines);
    let ideal = (2 * PAGE_BYTES) as f64 / f64::from(64 << 10) * 40.0 / PLACES as f64;
    assert!(outcome.ended.iter().all(|ended| *ended < 3.0 * ideal), "{outcome:?}, without loss {ideal} s");
}
