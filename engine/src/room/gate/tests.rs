use super::*;

const FILES: u64 = 48;

fn room(available_bytes: u64, available_files: u64) -> Space {
    Space { total_bytes: 100_000, available_bytes, total_files: FILES, available_files }
}

/// Nobody has a segment at hand, and the indexes are elsewhere unless something is promised.
fn sight(bytes: u64, promised: Option<u64>) -> Sight {
    Sight { room: room(bytes, FILES), promised, at_hand: 0, without: 0 }
}

/// Segments of 1,000 bytes, of which a batch takes 160 (and 170 to be dealt).
fn gate(reserve: u64, shards: usize) -> Gate {
    Gate::new(Reserve::new(reserve), 1_000, 160, 2, shards)
}

#[test]
fn appends_resume_at_twice_the_floor() {
    let mut gate = gate(100, 1);
    let seen = [150, 100, 99, 100, 199, 200, 100].map(|bytes| gate.observe(&sight(bytes, None)));
    assert_eq!(seen, [true, true, false, false, false, true, true]);
}

#[test]
fn a_filesystem_that_holds_no_more_files_is_full() {
    let mut gate = gate(100, 1);
    let seen = [7, 6, 5, 6, 11, 12, 6]
        .map(|files| gate.observe(&Sight { room: room(1_000, files), ..sight(0, None) }));
    assert_eq!(seen, [true, true, false, false, false, true, true]);
}

#[test]
fn batches_leave_the_room_that_dealing_them_takes() {
    let mut gate = gate(500, 1);
    assert!(gate.observe(&sight(720, Some(50))), "the reserve, what waits, and one more batch");
    assert!(!gate.observe(&sight(719, Some(50))));
    assert!(!gate.observe(&sight(1_049, Some(50))) && gate.observe(&sight(1_050, Some(50))));
}

#[test]
fn segments_at_hand_are_room_to_begin_again() {
    let mut gate = gate(1_000, 4);
    assert!(!gate.observe(&sight(1_169, Some(0))));
    // Nothing waits any more, and four segments of a thousand bytes are there to be filled.
    let at_hand = |bytes, at_hand, without| Sight { at_hand, without, ..sight(bytes, Some(0)) };
    assert!(!gate.observe(&at_hand(1_169, 4, 0)), "not into the reserve itself");
    assert!(!gate.observe(&at_hand(1_171, 0, 0)));
    assert!(!gate.observe(&at_hand(2_169, 3, 1)), "each shard is to get one");
    assert!(gate.observe(&at_hand(2_170, 3, 1)));
}

#[test]
fn a_segment_is_made_beside_what_is_promised() {
    let gate = gate(500, 2);
    let least = 500 + 50 + 170 + 1_000;
    assert!(gate.admits_segment(&sight(least, Some(50)), true));
    assert!(!gate.admits_segment(&sight(least - 1, Some(50)), true));
    // Another one for who has one: each of two could get one more.
    assert!(gate.admits_segment(&sight(least + 2_000, Some(50)), false));
    assert!(!gate.admits_segment(&sight(least + 1_999, Some(50)), false));
    assert!(gate.admits_segment(&sight(1_500, None), true), "the indexes are elsewhere");
    assert!(!gate.admits_segment(&Sight { room: room(9_000, 2), ..sight(0, None) }, true), "of files");
}

#[test]
fn no_segment_is_made_while_batches_wait_for_room() {
    let mut gate = gate(500, 1);
    assert!(!gate.observe(&sight(600, Some(0))));
    assert!(!gate.admits_segment(&sight(1_900, Some(0)), true), "it would keep the gate closed");
    assert!(gate.observe(&sight(1_900, Some(0))) && gate.admits_segment(&sight(1_900, Some(0)), true));
}

#[test]
fn what_may_be_received_can_be_dealt() {
    let gate = gate(500, 2);
    let at_hand = |bytes| Sight { at_hand: 2, ..sight(bytes, Some(100)) };
    assert_eq!(gate.allowance(&at_hand(600)), Some(0));
    assert_eq!(gate.allowance(&at_hand(400)), Some(0));
    assert_eq!(gate.allowance(&at_hand(600 + 1_700)), Some(1_600));
    assert_eq!(gate.allowance(&gate.beside_one(&at_hand(600 + 2_700))), Some(1_600));
    // As much as two at hand and two in use can hold: no need to count.
    assert_eq!(gate.allowance(&at_hand(600 + 4_249)), Some(3_984));
    assert_eq!(gate.allowance(&at_hand(600 + 4_250)), None);
    assert_eq!(gate.allowance(&Sight { promised: None, ..at_hand(0) }), None, "the indexes are elsewhere");
}

#[test]
fn memory_takes_no_more_than_could_get_segments() {
    let gate = gate(500, 2);
    let at_hand = |bytes| Sight { at_hand: 2, ..sight(bytes, Some(100)) };
    // Two at hand, two in use, and four more, all of them to be dealt; those four are to be made besides.
    let least = 500 + 100 + to_deal(8_000) + 4_000;
    assert!(gate.is_roomy(&at_hand(least)) && !gate.is_roomy(&at_hand(least - 1)));
    assert!(!gate.is_roomy(&gate.beside_one(&at_hand(least + 1_000))), "the one being made is to be dealt");
    let elsewhere = |bytes| Sight { promised: None, ..at_hand(bytes) };
    assert!(gate.is_roomy(&elsewhere(4_500)) && !gate.is_roomy(&elsewhere(4_499)));
    assert!(!gate.is_roomy(&Sight { room: room(90_000, 2), ..at_hand(0) }), "of files");
    let gate = super::tests::gate(0, 2);
    assert!(gate.is_roomy(&elsewhere(0)), "the drive itself says when it is full");
}

/// The promise of the module, for whatever is asked in whatever order: batches, segments and dealing never take of the reserve
/// together, and whoever may receive can be dealt.
#[test]
fn no_order_of_questions_breaks_the_reserve() {
    for (shards, reserve) in [(1, 500), (1, 3_000), (4, 500), (4, 3_000)] {
        for total in (reserve..20_000).step_by(250) {
            let mut drive = Drive::new(total, reserve, shards);
            for step in 0..400_u64 {
                drive.step(step.wrapping_mul(2_654_435_761) >> 7);
                drive.check();
            }
            drive.end(total);
        }
    }
}

/// A drive with nothing but a raw log and its indexes.
struct Drive {
    gate: Gate,
    reserve: u64,
    free: u64,
    at_hand: Vec<usize>,
    /// Bytes in the segment that each shard has in use.
    open: Vec<Option<u64>>,
    /// Segments to be dealt, by what is in them.
    sealed: Vec<u64>,
    bound: Option<u64>,
    taken: u64,
    kept: u64,
}

impl Drive {
    fn new(free: u64, reserve: u64, shards: usize) -> Self {
        let mut drive = Self {
            gate: gate(reserve, shards),
            reserve,
            free,
            at_hand: vec![0; shards],
            open: vec![None; shards],
            sealed: Vec::new(),
            bound: Some(0),
            taken: 0,
            kept: 0,
        };
        (0..2 * shards).for_each(|number| drive.want(number % shards));
        drive
    }

    fn promised(&self) -> u64 {
        self.open.iter().flatten().chain(&self.sealed).map(|bytes| to_deal(*bytes)).sum()
    }

    fn sight(&self) -> Sight {
        Sight {
            room: Space {
                total_bytes: 100_000,
                available_bytes: self.free,
                total_files: 0,
                available_files: u64::MAX,
            },
            promised: Some(self.promised()),
            at_hand: self.at_hand.iter().sum(),
            without: self.at_hand.iter().filter(|at_hand| **at_hand == 0).count(),
        }
    }

    /// A segment for the shard, if there is room.
    fn want(&mut self, shard: usize) {
        let sight = self.sight();
        self.gate.observe(&sight);
        if self.gate.admits_segment(&sight, self.at_hand[shard] == 0) {
            self.bound = self.gate.allowance(&self.gate.beside_one(&sight));
            self.free -= 1_000;
            self.at_hand[shard] += 1;
        }
        self.bound = self.gate.allowance(&self.sight());
        self.taken = 0;
    }

    fn batch(&mut self, shard: usize, bytes: u64) {
        if self.bound.is_some_and(|bound| self.taken + bytes > bound) || !self.gate.open {
            return;
        }
        if self.open[shard].is_none() {
            if self.at_hand[shard] == 0 {
                return;
            }
            self.at_hand[shard] -= 1;
            self.open[shard] = Some(0);
        }
        let held = self.open[shard].as_mut().unwrap();
        *held += bytes;
        self.taken += bytes;
        if *held > 1_000 - 160 {
            self.seal(shard);
        }
    }

    fn seal(&mut self, shard: usize) {
        self.sealed.extend(self.open[shard].take());
    }

    /// Deals a segment, as far as the reserve allows it; what is behind its records goes back.
    fn deal(&mut self) {
        let Some(bytes) = self.sealed.pop() else { return };
        assert!(self.free >= self.reserve + to_deal(bytes), "dealing never waits for room");
        self.free = self.free - to_deal(bytes) + 1_000 - bytes;
        self.kept += bytes + to_deal(bytes);
    }

    fn step(&mut self, random: u64) {
        let shard = (random / 16) as usize % self.open.len();
        match random % 16 {
            0..=9 => self.batch(shard, random / 64 % 160 + 1),
            10 | 11 => self.want(shard),
            12 | 13 => self.seal(shard),
            _ => self.deal(),
        }
    }

    fn check(&self) {
        assert!(self.free >= self.reserve, "{} free of {}", self.free, self.reserve);
        assert!(self.free >= self.reserve + self.promised(), "what was received can be dealt");
    }

    /// Everything is dealt, and history is given up: batches are taken again, whatever is at hand.
    fn end(&mut self, total: u64) {
        (0..self.open.len()).for_each(|shard| self.seal(shard));
        while !self.sealed.is_empty() {
            self.deal();
        }
        self.free += self.kept;
        let held = 1_000 * self.at_hand.iter().sum::<usize>() as u64;
        assert_eq!(self.free + held, total);
        let enough = 1_000 * self.open.len() as u64 + 170 + self.reserve;
        let open = self.gate.observe(&self.sight());
        assert!(
            open || total < enough.max(2 * self.reserve),
            "{total} bytes are enough, and it stays closed"
        );
    }
}
