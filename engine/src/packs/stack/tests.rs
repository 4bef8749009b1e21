use proptest::prelude::*;

use super::*;
use crate::format::pack::name::PackKind;
use crate::testing::Choices;

/// Bits of a hash that the tests tell apart.
const BITS: u8 = 3;
const POSITIONS: u64 = 10;

fn range(first: u64, end: u64) -> PackRange {
    PackRange::new(Position::from_packed(first), Position::from_packed(end)).unwrap()
}

fn hashes() -> impl Iterator<Item = CodeHash> {
    (0..1 << BITS).map(|hash: u32| CodeHash::new(hash << (32 - BITS)))
}

fn supersedes(a: &PackName, b: &PackName) -> bool {
    let [length_a, length_b] = [a, b].map(|name| name.range().end().packed() - name.range().first().packed());
    let newer = (a.generation(), a.cell().bits()) > (b.generation(), b.cell().bits());
    a.range().holds_all(b.range()) && (length_a > length_b || newer)
}

/// The rule as it is written, position by position.
fn naive(names: &[PackName], checkpoint: u64, hash: CodeHash) -> Option<Vec<PackName>> {
    let counts = |name: &&PackName| name.range().end().packed() <= checkpoint;
    let first = names.iter().filter(counts).map(|name| name.range().first().packed()).min();
    let held: Vec<_> = names.iter().filter(counts).filter(|name| name.cell().holds(hash)).collect();
    let mut current: Vec<PackName> =
        held.iter().filter(|b| !held.iter().any(|a| supersedes(a, b))).map(|name| **name).collect();
    current.sort_by_key(|name| name.range());
    let holders = |position| {
        let holds = |name: &&PackName| {
            (name.range().first().packed()..name.range().end().packed()).contains(&position)
        };
        current.iter().filter(holds).count()
    };
    let tiled = first.is_none_or(|first| (first..checkpoint).all(|position| holders(position) == 1));
    tiled.then_some(current)
}

fn is_as_naive(names: &[PackName], checkpoint: u64) {
    let stack = Stack::of(names, Position::from_packed(checkpoint));
    for hash in hashes() {
        let found = stack.at(hash).ok().map(Iterator::collect::<Vec<_>>);
        assert_eq!(found, naive(names, checkpoint, hash), "{hash:?} of {names:?} at {checkpoint}");
    }
    let is_superseded = |b: &PackName| {
        let counts = |name: &PackName| name.range().end().packed() <= checkpoint;
        let at = |hash| names.iter().any(|a| a != b && counts(a) && a.cell().holds(hash) && supersedes(a, b));
        counts(b) && hashes().filter(|hash| b.cell().holds(*hash)).all(at)
    };
    let mut expected: Vec<_> = names.iter().copied().filter(is_superseded).collect();
    let mut found: Vec<_> = stack.superseded().collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "superseded everywhere, of {names:?}");
    assert_eq!(stack.untiled().next().is_none(), hashes().all(|hash| stack.at(hash).is_ok()));
}

fn any_name() -> impl Strategy<Value = PackName> {
    (
        0..POSITIONS - 1,
        1..POSITIONS,
        0..3_u32,
        any::<u32>(),
        prop_oneof![3 => Just(None), 2 => (0..=BITS).prop_map(Some)],
    )
        .prop_map(|(first, length, generation, prefix, bits)| {
            let range = range(first, (first + length).min(POSITIONS));
            let Some(bits) = bits else { return PackName::recent(range, generation) };
            let prefix = if bits == 0 { 0 } else { prefix & u32::MAX << (32 - bits) };
            PackName::base(range, generation, Cell::new(prefix, bits).unwrap())
        })
}

proptest! {
    #[test]
    fn any_names_mean_what_the_rule_says(
        mut names in prop::collection::vec(any_name(), 0..12),
        checkpoint in 0..=POSITIONS,
    ) {
        names.sort();
        names.dedup();
        is_as_naive(&names, checkpoint);
    }

    /// Packs are dealt, merged, folded by cells, split, and removed once they are superseded, in any order.
    #[test]
    fn what_the_jobs_publish_tiles_the_log_after_each_step(seed: u64) {
        let mut choices = Choices(seed);
        let mut names: Vec<PackName> = Vec::new();
        let mut end = 0;
        for _ in 0..24 {
            step(&mut names, &mut end, &mut choices);
            names.sort();
            is_as_naive(&names, end);
            let stack = Stack::of(&names, Position::from_packed(end));
            prop_assert!(stack.untiled().next().is_none(), "{:?}", names);
            if choices.below(3) == 0 {
                let superseded: Vec<_> = stack.superseded().collect();
                names.retain(|name| !superseded.contains(name));
            }
        }
    }
}

fn step(names: &mut Vec<PackName>, end: &mut u64, choices: &mut Choices) {
    let stack = Stack::of(names, Position::from_packed(*end));
    let hash = CodeHash::new((choices.below(1 << BITS) as u32) << (32 - BITS));
    let current: Vec<_> = stack.at(hash).unwrap().collect();
    let recents: Vec<_> = current.iter().filter(|name| name.kind() == PackKind::Recent).collect();
    match choices.below(4) {
        0 => {
            names.push(PackName::recent(range(*end, *end + 1 + choices.below(3)), 0));
            *end = names.last().unwrap().range().end().packed();
        }
        1 if recents.len() > 1 => {
            let [a, b] = [0, 0].map(|_| choices.below(recents.len() as u64) as usize);
            let (first, last) = (recents[a.min(b)], recents[a.max(b)]);
            let merged = range(first.range().first().packed(), last.range().end().packed());
            let splits_a_base = names.iter().any(|name| {
                name.kind() == PackKind::Base
                    && merged.first() < name.range().end()
                    && name.range().end() < merged.end()
            });
            if !splits_a_base && a != b {
                names.push(PackName::recent(merged, 0));
            }
        }
        2 if !current.is_empty() => {
            // The base of a cell with what is newer, or alone, as one or as two.
            let base = current[0];
            let cell = if base.kind() == PackKind::Base { base.cell() } else { Cell::ALL };
            let until = current[choices.below(current.len() as u64) as usize].range().end();
            let range = range(0, until.packed());
            let generation =
                names.iter().filter(|name| name.range() == range).map(PackName::generation).max();
            let generation = generation.map_or(0, |generation| generation + 1);
            let halves = cell.halves().filter(|_| cell.bits() < BITS && choices.below(2) == 0);
            // All leaves below the cell, of which some may be folded further, must have it in one piece.
            let is_whole = names.iter().all(|name| {
                name.kind() != PackKind::Base
                    || name.cell() == cell
                    || !cell.holds_all(name.cell())
                    || range.holds_all(name.range())
            });
            if base.range().first() == Position::ZERO && is_whole {
                let cells = halves.map_or_else(|| vec![cell], Vec::from);
                names.extend(cells.into_iter().map(|cell| PackName::base(range, generation, cell)));
            }
        }
        _ => {}
    }
}

fn parsed(names: &[&str]) -> Vec<PackName> {
    names.iter().map(|name| PackName::parse(name).unwrap()).collect()
}

fn checkpoint(epoch: u64) -> Position {
    Position::new(crate::ids::Epoch::new(epoch).unwrap(), 0)
}

#[test]
fn a_lost_pack_is_a_gap_that_is_named() {
    let names = parsed(&["1.0-2.0_0_all.recent", "3.0-4.0_0_all.recent"]);
    let stack = Stack::of(&names, checkpoint(4));
    let untiled = stack.at(CodeHash::new(0)).err().unwrap();
    assert_eq!(untiled.to_string(), "no pack of cell all holds 2.0-3.0: put the file that does back");
    let newest = Stack::of(&names[..1], checkpoint(4));
    assert_eq!(newest.untiled().count(), 1, "the newest one is missed, too");
    assert_eq!(Stack::of(&[], checkpoint(4)).at(CodeHash::new(0)).unwrap().count(), 0);
}

#[test]
fn a_lost_base_is_missed_in_its_cell_only() {
    let names = parsed(&["0.0-3.0_1_0.base", "3.0-4.0_0_all.recent"]);
    let stack = Stack::of(&names, checkpoint(4));
    assert_eq!(stack.at(CodeHash::new(0)).unwrap().count(), 2);
    let untiled = stack.at(CodeHash::new(1 << 31)).err().unwrap();
    assert_eq!(untiled.to_string(), "no pack of cell 1 holds 0.0-3.0: put the file that does back");
}

#[test]
fn two_packs_of_one_stretch_are_named() {
    let names = parsed(&["1.0-3.0_0_all.recent", "2.0-4.0_0_all.recent"]);
    let untiled = Stack::of(&names, checkpoint(4)).untiled().next().unwrap();
    assert_eq!(untiled.why, WhyUntiled::Overlap(names[0], names[1]));
    let twins = parsed(&["1.0-3.0_0_all.recent", "1.0-3.0_0_all.base"]);
    assert!(Stack::of(&twins, checkpoint(3)).untiled().next().is_some(), "neither supersedes the other");
}

#[test]
fn what_ends_after_the_checkpoint_is_a_leftover() {
    let names = parsed(&["1.0-2.0_0_all.recent", "2.0-2.7_0_all.recent", "1.0-3.0_0_all.recent"]);
    let stack = Stack::of(&names, checkpoint(2));
    assert_eq!(stack.leftovers(), &names[1..]);
    assert_eq!(stack.at(CodeHash::new(9)).unwrap().collect::<Vec<_>>(), names[..1]);
    assert_eq!(stack.superseded().count(), 0);
}
