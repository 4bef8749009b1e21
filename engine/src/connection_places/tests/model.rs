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

struct Row {
    peer: u8,
    has_asked: bool,
    standing: Standing,
}

/// Who has to go, by the words of the module.
fn least(rows: &BTreeMap<u64, Row>, places: usize, peer: u8, now: MonoNanos) -> Option<u64> {
    let count = |peer: u8| rows.values().filter(|row| row.peer == peer).count();
    let own = count(peer);
    let many_silent = rows.values().filter(|row| !row.has_asked).count() > places / 2;
    let much = |count: usize| count > places / PART_OF_MUCH;
    rows.iter()
        .filter_map(|(number, row)| match row.standing {
            Standing::Busy => None,
            Standing::Resting { since } => {
                let silent = !row.has_asked && (many_silent || now.since(since) >= SILENCE_MAX);
                let held = count(row.peer);
                let first = std::cmp::Reverse(if much(held) { held } else { 0 });
                let grows = (much(own) || much(held)) && held < own;
                (!grows).then_some((first, !silent, since, *number))
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
        let (mut port, mut peers) = (ConnectionPlaces::new(places), BTreeMap::<u64, Row>::new());
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
                    prop_assert_eq!(port.make_room(&peer, now, |number| peers[&number].standing), room);
                    if let Ok(gone) = room {
                        gone.map(|gone| peers.remove(&gone));
                        port.come(number, peer, now);
                        let standing = Standing::Resting { since: now };
                        peers.insert(number, Row { peer, has_asked: false, standing });
                    }
                }
                Step::Asks(place) => if let Some(number) = chosen(place) {
                    peers.get_mut(&number).unwrap().standing = Standing::Busy;
                },
                Step::Rests(place) => if let Some(number) = chosen(place) {
                    let row = peers.get_mut(&number).unwrap();
                    (row.has_asked, row.standing) = (true, Standing::Resting { since: now });
                    port.asked(number);
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
