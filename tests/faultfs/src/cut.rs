//! What a drive holds after its power was cut: all that a flush covered, and of the rest what luck has it.

use fastrand::Rng;

use crate::recording::{Event, Recording, Written};
use crate::store::{SECTOR_BYTES, Store};

/// What is left of the writes that no flush covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing.
    None,
    /// Each write whole or not at all, so some are there without earlier ones.
    Some,
    /// Each sector of each write whole or not at all.
    Torn,
    /// Everything: the process was killed, the drive was not.
    All,
}

/// Makes images of one recording, at ever later points.
#[derive(Debug)]
pub struct Cuts<'a> {
    recording: &'a Recording,
    durable: Store,
    /// How many events `durable` holds.
    applied: usize,
}

impl<'a> Cuts<'a> {
    /// Starts at the beginning of the recording.
    #[must_use]
    pub fn new(recording: &'a Recording) -> Self {
        Self { recording, durable: recording.base.clone(), applied: 0 }
    }

    /// The drive after a power cut behind the first `cut` events. The same seed, the same image.
    ///
    /// # Panics
    /// If `cut` is less than in the call before, or more than there are events.
    pub fn at(&mut self, cut: usize, survivors: Survivors, seed: u64) -> Store {
        let happened = &self.recording.events[..cut];
        let covered = |event: &Event| match event {
            Event::Flush { covers, .. } => Some(*covers),
            Event::Write { .. } => None,
        };
        let durable = happened.iter().filter_map(covered).max().unwrap_or(0);
        assert!(self.applied <= durable, "cuts are made in order");
        for event in &happened[self.applied..durable] {
            if let Event::Write { offset, data, .. } = event {
                data.put(&mut self.durable, *offset, 0, data.len());
            }
        }
        self.applied = durable;
        let mut image = self.durable.clone();
        // The same seed, the same image.
        let mut luck = Rng::with_seed(seed);
        for event in &happened[durable..] {
            if let Event::Write { offset, data, .. } = event {
                survive(&mut image, *offset, data, survivors, &mut luck);
            }
        }
        image
    }
}

fn survive(image: &mut Store, offset: u64, data: &Written, survivors: Survivors, luck: &mut Rng) {
    match survivors {
        Survivors::None => {}
        Survivors::All => data.put(image, offset, 0, data.len()),
        Survivors::Some => {
            if luck.bool() {
                data.put(image, offset, 0, data.len());
            }
        }
        Survivors::Torn => {
            for from in (0..data.len()).step_by(SECTOR_BYTES) {
                if luck.bool() {
                    data.put(image, offset, from, (from + SECTOR_BYTES).min(data.len()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn write(offset: u64, byte: u8) -> Event {
        Event::Write { at: Instant::now(), offset, data: Written::new(&[byte; 4096]) }
    }

    fn first_bytes(store: &Store) -> Vec<u8> {
        (0..4).map(|block| store.read(block * 4096, 1)[0]).collect()
    }

    fn recording() -> Recording {
        let flush = Event::Flush { at: Instant::now(), covers: 1 };
        // The second write happened while the flush was under way: it does not cover it.
        let events = vec![write(0, 1), write(4096, 2), flush, write(2 * 4096, 3), write(3 * 4096, 4)];
        Recording { base: Store::new(4 * 4096), events }
    }

    #[test]
    fn only_what_was_written_before_a_flush_began_is_sure_to_be_there() {
        let recording = recording();
        let mut cuts = Cuts::new(&recording);
        assert_eq!(first_bytes(&cuts.at(2, Survivors::None, 1)), [0, 0, 0, 0], "no flush yet");
        assert_eq!(first_bytes(&cuts.at(3, Survivors::None, 1)), [1, 0, 0, 0]);
        assert_eq!(first_bytes(&cuts.at(5, Survivors::None, 1)), [1, 0, 0, 0]);
        assert_eq!(first_bytes(&cuts.at(5, Survivors::All, 1)), [1, 2, 3, 4]);
    }

    #[test]
    fn later_writes_can_be_there_without_earlier_ones_and_in_part() {
        let recording = recording();
        let mut cuts = Cuts::new(&recording);
        let image = |cuts: &mut Cuts<'_>, survivors, seed| cuts.at(5, survivors, seed);
        let some: Vec<_> =
            (1..40).map(|seed| first_bytes(&image(&mut cuts, Survivors::Some, seed))).collect();
        assert!(some.iter().any(|bytes| bytes[1] == 0 && bytes[3] == 4), "{some:?}");
        let torn = image(&mut cuts, Survivors::Torn, 7).read(2 * 4096, 4096);
        assert!(torn.contains(&0) && torn.contains(&3), "torn within the block");
        let again = image(&mut cuts, Survivors::Torn, 7).read(2 * 4096, 4096);
        assert_eq!(torn, again, "the same seed, the same image");
    }
}
