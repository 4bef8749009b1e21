//! Parts of the host that a measurement leaves out, to learn what they cost.
//!
//! Each switch stands in the product as one line, `or_left_out!`. Without the feature `leave-out`, [`Part::is_left_out`]
//! is the constant `false` and nothing of this is compiled. A host built with it is for measuring only: what it writes
//! can't be trusted.

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Counters and histograms of the shards.
    Metrics,
    /// The checksum of each frame.
    Checksums,
    /// The atomic that all shards take their positions from; right for one shard only.
    Positions,
    /// That the background gives way to appends.
    Governor,
    /// The background's ranks at processors and drives.
    Priorities,
}

impl Part {
    /// Each part, and what it is called.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Metrics, "metrics"),
        (Self::Checksums, "checksums"),
        (Self::Positions, "positions"),
        (Self::Governor, "governor"),
        (Self::Priorities, "priorities"),
    ];

    /// Whether this process does without.
    #[cfg(not(feature = "leave-out"))]
    #[inline]
    #[must_use]
    pub const fn is_left_out(self) -> bool {
        false
    }

    /// Whether this process does without.
    #[cfg(feature = "leave-out")]
    #[inline]
    #[must_use]
    pub fn is_left_out(self) -> bool {
        LEFT_OUT.load(std::sync::atomic::Ordering::Relaxed) & (1 << self as u8) != 0
    }

    /// Leaves it out from now on.
    #[cfg(feature = "leave-out")]
    pub fn leave_out(self) {
        LEFT_OUT.fetch_or(1 << self as u8, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What is done, or what is done while the part is left out: `or_left_out!(Part, with, without)`.
macro_rules! or_left_out {
    ($part:ident, $with:expr, $without:expr) => {
        if $crate::left_out::Part::$part.is_left_out() { $without } else { $with }
    };
}

pub(crate) use or_left_out;

#[cfg(feature = "leave-out")]
static LEFT_OUT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
