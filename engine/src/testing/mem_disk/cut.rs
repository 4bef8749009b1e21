/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Everything: only the process died.
    Kill,
    /// Nothing.
    Power,
    /// The names, not the bytes.
    PowerKeepingNames,
    /// The bytes, not the names.
    PowerKeepingBytes,
    /// Of names and of blocks of bytes these or those, by this seed; other blocks are zero.
    PowerKeepingSome(u64),
}

impl Cut {
    /// All that leave nothing to chance.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Power, Self::PowerKeepingNames, Self::PowerKeepingBytes];

    /// Those, and two that leave it to chance, by this number.
    pub fn each(number: usize) -> impl Iterator<Item = Self> {
        let some = (0..2).map(move |seed| Self::PowerKeepingSome((number as u64) << 8 | seed));
        Self::ALL.into_iter().chain(some)
    }
}
