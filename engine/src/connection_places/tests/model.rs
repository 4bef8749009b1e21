//! The same decisions by a model that keeps no order and looks at every connection.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Come(u8),
    Asks(usize),
    Rests(usize),
    Leaves(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..6).prop_map(Step::Come),
        2 => any::<usize>().prop_map(Step::Asks),
        3 => any::<usize>().prop_map(Step::Rests),
        1 => any::<usize>().prop_map(Step::Leaves),
    ]
}

/// Who has to go, by the words of the module.
fn least(rows: &BTreeMap<u64, (u8, Standing)>, places: usize, peer: u8, now: MonoNanos) -> Option<u64> {
    let count = |peer: u8| rows.values().filter(|(other, _)| *other == peer).count();
    let own = count(peer);
    let much = |count: usize| count > places / PART_OF_MUCH;
    rows.iter()
        .filter_map(|(number, (holder, standing))| match standing {
            Standing::Busy => None,
            Standing::Resting { since, has_asked } => {
                let silent = !has_asked && now.since(*since) >= SILENCE_MAX;
                let held = count(*holder);
                let first = std::cmp::Reverse(if much(held) { held } else { 0 });
                let grows = (much(own) || much(held)) && held < own;
                (!grows).then_some((first, !silent, *since, *number))
            }
        })
        .min()
        .map(|(.., number)| number)
}

proptest! {
    #[test]
    fn what_is_noted_decides_like_a_look_at_everybody(
        places in 1usize..40,
        steps in proptest::collection::vec(step(), 0..300),
    ) {
        let (mut port, mut peers) = (ConnectionPlaces::new(places), BTreeMap::<u64, (u8, Standing)>::new());
        for (number, step) in (1u64..).zip(steps) {
            // Longer than what was found is believed, so that each look is a new one.
            let now = MonoNanos(number * SECOND);
            let chosen = |place: usize| (!peers.is_empty()).then(|| *peers.keys().nth(place % peers.len()).unwrap());
            match step {
                Step::Come(peer) => {
                    let room = if peers.len() < places {
                        Ok(None)
                    } else {
                        least(&peers, places, peer, now).map(Some).ok_or(Full)
                    };
                    prop_assert_eq!(port.make_room(&peer, now, |number| peers[&number].1), room);
                    if let Ok(gone) = room {
                        gone.map(|gone| peers.remove(&gone));
                        port.come(number, peer, now);
                        peers.insert(number, (peer, Standing::Resting { since: now, has_asked: false }));
                    }
                }
                Step::Asks(place) => if let Some(number) = chosen(place) {
                    peers.get_mut(&number).unwrap().1 = Standing::Busy;
                },
                Step::Rests(place) => if let Some(number) = chosen(place) {
                    peers.get_mut(&number).unwrap().1 = Standing::Resting { since: now, has_asked: true };
                },
                Step::Leaves(place) => if let Some(number) = chosen(place) {
                    peers.remove(&number);
                    port.gone(number);
                },
            }
            prop_assert_eq!(port.len(), peers.len());
        }
    }
}
