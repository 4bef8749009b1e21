//! The ballast: room that is held, to be given up when the drive is full to the last block. Renames and small files of
//! dealing and cleaning still find room then.

/// The ballast of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballast {
    bytes: u64,
    reserve_bytes: u64,
}

/// What is to be done about the ballast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// It is as it should be.
    Nothing,
    /// It is not there, and there is room for it.
    Make,
    /// There is no room for anything else.
    GiveUp,
}

impl Ballast {
    /// Length of the ballast on a drive of which `reserve_bytes` are kept free (0: the drive itself says when it is full).
    pub const BYTES: u64 = 16 << 20;

    /// One of so many bytes.
    #[must_use]
    pub const fn new(bytes: u64, reserve_bytes: u64) -> Self {
        Self { bytes, reserve_bytes }
    }

    /// Its length.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// What is to be done, with so many bytes free besides: it is there while there is room, and gone when there is none.
    #[must_use]
    pub fn todo(self, is_there: bool, free: u64) -> Todo {
        // Far from where it is given up, so that it does not come and go.
        let enough = self.reserve_bytes.saturating_mul(2).max(self.bytes.saturating_mul(4));
        match is_there {
            true if free < self.bytes => Todo::GiveUp,
            false if free >= enough => Todo::Make,
            _ => Todo::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_up_in_the_end_and_made_again_with_room() {
        let ballast = Ballast::new(16, 100);
        let there = [15, 16, 1_000].map(|free| ballast.todo(true, free));
        assert_eq!(there, [Todo::GiveUp, Todo::Nothing, Todo::Nothing]);
        let gone = [0, 199, 200].map(|free| ballast.todo(false, free));
        assert_eq!(gone, [Todo::Nothing, Todo::Nothing, Todo::Make]);
    }

    #[test]
    fn making_it_is_no_reason_to_give_it_up() {
        for reserve in [0, 1, 30, 1_000] {
            let ballast = Ballast::new(16, reserve);
            let least = (0..).find(|&free| ballast.todo(false, free) == Todo::Make).unwrap();
            assert_eq!(ballast.todo(true, least - ballast.bytes()), Todo::Nothing);
        }
    }
}
