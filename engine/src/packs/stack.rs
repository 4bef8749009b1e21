//! Which packs count at which hash: told by their names alone, without looking into a file.

use std::fmt;

use crate::format::pack::{Cell, CodeHash, PackName, PackRange};
use crate::ids::Position;

/// Which packs count at which hash.
///
/// Packs that end after the checkpoint don't count. Of the others a pack is superseded at a hash by one that holds that hash too,
/// whose range holds all of its range, and that is longer, or has a greater (generation, bits of the cell). What is not superseded at a hash must tile the
/// log there: from where the first pack begins to the checkpoint, without a gap or an overlap. Where it does not, a file is
/// lost, and nothing may be read, merged or folded there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    // Those that count, in the order in which each comes after all that may supersede it.
    names: Vec<PackName>,
    leftovers: Vec<PackName>,
    leaves: Vec<Leaf>,
    is_current: Vec<bool>,
}

/// A cell at all of whose hashes the same packs count.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    cell: Cell,
    // Numbers of names, from the oldest to the newest.
    current: Vec<u32>,
    untiled: Option<Untiled>,
}

/// Why the packs of a cell can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untiled {
    /// Where: indexes of other cells are not concerned.
    pub cell: Cell,
    /// What is wrong there.
    pub why: WhyUntiled,
}

/// What is wrong with the packs of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyUntiled {
    /// No pack holds this stretch of the log: its file is lost.
    Gap(PackRange),
    /// Both hold the same stretch, and neither supersedes the other.
    Overlap(PackName, PackName),
}

impl fmt::Display for Untiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = self.cell;
        match self.why {
            WhyUntiled::Gap(range) => {
                write!(f, "no pack of cell {cell} holds {range}: put the file that does back")
            }
            WhyUntiled::Overlap(one, other) => {
                write!(
                    f,
                    "of cell {cell} both {one} and {other} hold the same records: move the wrong one away"
                )
            }
        }
    }
}

impl Stack {
    /// What these names say, where everything before `checkpoint` is dealt.
    #[must_use]
    pub fn of(names: &[PackName], checkpoint: Position) -> Self {
        let (mut names, leftovers): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.range().end() <= checkpoint);
        names.sort_by_key(age);
        let (count, all) = (names.len(), (0..).take(names.len()).collect());
        let mut stack = Self { names, leftovers, leaves: Vec::new(), is_current: vec![false; count] };
        // Every cell's log begins where the first pack of all does.
        if let Some(first) = stack.names.first().map(|name| name.range().first()) {
            let mut cells = Vec::new();
            divide(&stack.names, Cell::ALL, all, &mut cells);
            cells.into_iter().for_each(|(cell, candidates)| stack.leaf(cell, &candidates, first, checkpoint));
        }
        stack
    }

    /// The packs that hold what there is of an index of this hash, from the oldest to the newest.
    ///
    /// # Errors
    /// If that is not all that was dealt.
    pub fn at(&self, hash: CodeHash) -> Result<impl Iterator<Item = PackName> + '_, Untiled> {
        let leaf = self.leaves.partition_point(|leaf| leaf.cell.last() < hash);
        let leaf = self.leaves.get(leaf);
        if let Some(untiled) = leaf.and_then(|leaf| leaf.untiled) {
            return Err(untiled);
        }
        let current = leaf.map_or(&[][..], |leaf| &leaf.current);
        Ok(current.iter().map(|&number| self.names[number as usize]))
    }

    /// Those that are superseded at every hash of their cell: nobody needs them any more.
    pub fn superseded(&self) -> impl Iterator<Item = PackName> + '_ {
        self.names.iter().zip(&self.is_current).filter(|(_, is_current)| !**is_current).map(|(name, _)| *name)
    }

    /// Those that end after the checkpoint: left by a dealing that did not end. Nobody may count them.
    #[must_use]
    pub fn leftovers(&self) -> &[PackName] {
        &self.leftovers
    }

    /// What can't be used, cell by cell.
    pub fn untiled(&self) -> impl Iterator<Item = Untiled> + '_ {
        self.leaves.iter().filter_map(|leaf| leaf.untiled)
    }

    fn leaf(&mut self, cell: Cell, candidates: &[u32], first: Position, checkpoint: Position) {
        let mut current: Vec<u32> = Vec::new();
        // The greatest end of those whose name differs in more than the kind; of the last name alone.
        let (mut end, mut last) = (Position::ZERO, None);
        for &number in candidates {
            let name = &self.names[number as usize];
            let same = last.is_some_and(|last: PackName| age(&last) == age(name));
            if let Some(last) = last.filter(|_| !same) {
                end = end.max(last.range().end());
            }
            last = Some(*name);
            if name.range().end() > end {
                current.push(number);
                self.is_current[number as usize] = true;
            }
        }
        let why = self.untiled_of(&current, first, checkpoint);
        self.leaves.push(Leaf { cell, current, untiled: why.map(|why| Untiled { cell, why }) });
    }

    fn untiled_of(&self, current: &[u32], first: Position, checkpoint: Position) -> Option<WhyUntiled> {
        let mut end = first;
        let mut before: Option<&PackName> = None;
        for name in current.iter().map(|&number| &self.names[number as usize]) {
            if let Some(gap) = PackRange::new(end, name.range().first()) {
                return Some(WhyUntiled::Gap(gap));
            }
            if let Some(before) = before.filter(|_| name.range().first() < end) {
                return Some(WhyUntiled::Overlap(*before, *name));
            }
            (end, before) = (name.range().end(), Some(name));
        }
        PackRange::new(end, checkpoint).map(WhyUntiled::Gap)
    }
}

// Finds the cells below `cell` at all of whose hashes the same of the `candidates` hold something, in order.
fn divide(names: &[PackName], cell: Cell, candidates: Vec<u32>, found: &mut Vec<(Cell, Vec<u32>)>) {
    let cell_of = |number: &u32| names[*number as usize].cell();
    let is_one = candidates.iter().all(|number| cell_of(number).holds_all(cell));
    let Some(halves) = cell.halves().filter(|_| !is_one) else { return found.push((cell, candidates)) };
    for half in halves {
        let of_half = |number: &u32| cell_of(number).holds_all(half) || half.holds_all(cell_of(number));
        divide(names, half, candidates.iter().copied().filter(of_half).collect(), found);
    }
}

// What may supersede a pack comes before it: one that begins earlier, or ends later, or is newer.
fn age(name: &PackName) -> impl Ord + use<> {
    use std::cmp::Reverse;
    let range = name.range();
    (range.first(), Reverse(range.end()), Reverse((name.generation(), name.cell().bits())))
}

#[cfg(test)]
mod tests;
