//! Deliberate bugs, by which the simulation, and the tests of what shards share, show that they would notice them.
//!
//! Each stands in the product as `or_bug!` or `bug!`, on one line that parts no comment from its code. Without the feature
//! `mutants`, [`active`] is the constant `false` and nothing of them is compiled; the host refuses to be built with it.
//! The other deliberate bugs, which only leave out what the engine asks of the drive, are the simulation's own.

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A frame's checksum is not looked at.
    NoChecksum,
    /// A frame's checksum does not cover the salt, and its position is not looked at.
    NoSaltNoPosition,
    /// An epoch is the wall clock's time, also when that steps back.
    EpochByClock,
    /// The interval until an fdatasync begins anew with every frame.
    IntervalRestarted,
    /// A batch counts as written when it is staged.
    WatermarkStaged,
    /// A sorted segment drops deletions.
    TombstoneDropped,
    /// An epoch counts as complete when one shard has sealed it.
    EpochHalfSealed,
    /// A token goes on though what it points to was merged into an optimized segment and removed.
    StaleToken,
    /// Recovery does not write down what is lost.
    LossUnreported,
    /// The checkpoint passes an epoch before it is published.
    CheckpointFirst,
    /// A published sort does not cover the inputs that were not removed.
    InputsStay,
    /// A deletion covers only what is dealt.
    DeletionOfDealt,
    /// A reader looks at the segments before the raw log.
    LookReversed,
    /// Frames that are written elsewhere keep the salt of the segment that failed.
    RescueKeepsSalt,
    /// A segment that failed is given up before its frames are durable elsewhere.
    AbandonedEarly,
    /// An epoch that left nothing is overlooked.
    MissingEpochIgnored,
    /// The sort publishes behind the removal of its inputs.
    InputsFirst,
    /// An optimization begins with the second segment.
    OptimizeSkipsOldest,
    /// Recovery seals what it found where the file ends, not where the last whole frame does.
    SealBehindHole,
    /// Recovery looks for holes within segments only, not between them.
    HoleBetweenSegments,
    /// Recovery does not bring back what only the page cache has.
    CacheAbandoned,
    /// A folder without an identity is taken for the one that belongs to the other.
    StrangerTaken,
    /// A data directory that is older than what it has dealt is taken.
    OlderCopyTaken,
    /// The data directory's identity is final before raw/ has it.
    FinalTooEarly,
    /// A recovery passes over damage whatever indexes it may hold.
    DamagePassedOver,
    /// What lies before the checkpoint is moved to history, dealt or not.
    StrayArchived,
    /// A sidecar without its segment says nothing.
    GoneUnnoticed,
    /// What follows on a file that is not there counts as lost.
    GapTakenForHole,
    /// Deletions are not kept with history.
    DeletionUnarchived,
    /// History is as old as the wall clock says.
    HistoryByClock,
    /// An epoch that stays incomplete is not noticed.
    IncompleteUnnoticed,
    /// An epoch that stays incomplete does not count as waiting.
    IncompleteUncounted,
    /// Recovery seals a segment before another one that was left open is durable.
    SealedOneByOne,
    /// Segments and batches take the room that dealing needs.
    PromiseForgotten,
    /// Segments at hand do not count for taking batches again.
    AtHandUncounted,
    /// A shard gets a second segment before each has one.
    SecondBeforeFirst,
    /// Batches are taken without a segment that they have a place in.
    PlaceForgotten,
    /// A shard that has several segments keeps them while another one has none.
    NothingAskedBack,
    /// A job takes room that shards may receive batches for until the next look.
    JobsBesideBatches,
    /// A frame that waits with its positions takes further batches.
    FrameUnfrozen,
    /// Positions are looked at, then taken.
    PositionsTakenApart,
    /// An epoch is closed at the ordinal that was seen, whatever was handed out since.
    ClosedUnseen,
    /// A closed epoch has its count after others may see that it is closed.
    CountedLate,
    /// A shard says what it needs only after its first frame.
    JoinedUnsaid,
    /// A frame that waits for a segment gives its positions up, and takes others.
    PositionsGivenUp,
    /// Each start makes a key of tokens.
    KeyMadeAnew,
    /// After one segment was made of the last room, all are.
    LastRoomForAll,
    /// The host opens when one shard has a segment.
    StockedEarly,
    /// Batches that were refused for want of a segment stay refused.
    RefusedForGood,
    /// The host ends as soon as no segment can be made.
    GivenUpEarly,
    /// The host ends when a segment can't be named for want of a descriptor.
    NameGivenUp,
}

impl Mutant {
    /// Those that the simulation catches. Its shards take turns, so it meets none of [`Self::BETWEEN_SHARDS`].
    pub const SIMULATED: [Self; 45] = [
        Self::NoChecksum,
        Self::NoSaltNoPosition,
        Self::EpochByClock,
        Self::IntervalRestarted,
        Self::WatermarkStaged,
        Self::TombstoneDropped,
        Self::EpochHalfSealed,
        Self::StaleToken,
        Self::LossUnreported,
        Self::CheckpointFirst,
        Self::InputsStay,
        Self::DeletionOfDealt,
        Self::LookReversed,
        Self::RescueKeepsSalt,
        Self::AbandonedEarly,
        Self::MissingEpochIgnored,
        Self::InputsFirst,
        Self::OptimizeSkipsOldest,
        Self::SealBehindHole,
        Self::HoleBetweenSegments,
        Self::CacheAbandoned,
        Self::StrangerTaken,
        Self::OlderCopyTaken,
        Self::FinalTooEarly,
        Self::DamagePassedOver,
        Self::StrayArchived,
        Self::GoneUnnoticed,
        Self::GapTakenForHole,
        Self::DeletionUnarchived,
        Self::HistoryByClock,
        Self::IncompleteUnnoticed,
        Self::IncompleteUncounted,
        Self::SealedOneByOne,
        Self::PromiseForgotten,
        Self::AtHandUncounted,
        Self::SecondBeforeFirst,
        Self::PlaceForgotten,
        Self::KeyMadeAnew,
        Self::LastRoomForAll,
        Self::StockedEarly,
        Self::RefusedForGood,
        Self::GivenUpEarly,
        Self::NameGivenUp,
        Self::NothingAskedBack,
        Self::JobsBesideBatches,
    ];

    /// Those that only show where a shard does something between two steps of another; this crate's tests catch them.
    pub const BETWEEN_SHARDS: [Self; 6] = [
        Self::FrameUnfrozen,
        Self::PositionsTakenApart,
        Self::ClosedUnseen,
        Self::CountedLate,
        Self::JoinedUnsaid,
        Self::PositionsGivenUp,
    ];
}

/// What is right, or what is wrong while the deliberate bug is in force: `or_bug!(Bug, right, wrong)`.
macro_rules! or_bug {
    ($bug:ident, $right:expr, $wrong:expr) => {
        if $crate::mutant::active($crate::mutant::Mutant::$bug) { $wrong } else { $right }
    };
}

/// Whether the deliberate bug is in force.
macro_rules! bug {
    ($bug:ident) => {
        $crate::mutant::active($crate::mutant::Mutant::$bug)
    };
}

pub(crate) use {bug, or_bug};

/// Whether the bugs can be thrown at all.
pub const COMPILED_IN: bool = cfg!(feature = "mutants");

#[cfg(any(test, feature = "mutants"))]
std::thread_local! {
    static THROWN: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Puts a bug in force on this thread, or none.
#[cfg(any(test, feature = "mutants"))]
pub fn throw(mutant: Option<Mutant>) {
    THROWN.set(mutant);
}

/// Whether the bug is in force on this thread.
#[cfg(any(test, feature = "mutants"))]
#[must_use]
pub fn active(mutant: Mutant) -> bool {
    THROWN.get() == Some(mutant)
}

/// No bug is compiled in.
#[cfg(not(any(test, feature = "mutants")))]
#[must_use]
#[inline(always)]
pub const fn active(_mutant: Mutant) -> bool {
    false
}
