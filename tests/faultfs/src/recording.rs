//! What happened to a drive, in order.

use std::time::{Duration, Instant};

use crate::store::Store;

/// Something that happened to the drive.
#[derive(Clone, Debug)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// When.
        at: Instant,
        /// Where, in bytes.
        offset: u64,
        /// What; zeros are not kept.
        data: Written,
    },
    /// A flush succeeded: the first `covers` events are durable.
    Flush {
        /// When it was answered.
        at: Instant,
        /// How many events had happened when it was asked for.
        covers: usize,
    },
}

/// Bytes of a write.
#[derive(Clone, Debug)]
pub enum Written {
    /// This many zeros.
    Zeros(usize),
    /// These.
    Bytes(Box<[u8]>),
}

impl Written {
    pub(crate) fn new(data: &[u8]) -> Self {
        if data.iter().all(|&byte| byte == 0) { Self::Zeros(data.len()) } else { Self::Bytes(data.into()) }
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Zeros(length) => *length,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Writes the part `from..to` of it to where it belongs.
    pub(crate) fn put(&self, store: &mut Store, offset: u64, from: usize, to: usize) {
        match self {
            Self::Zeros(_) => store.write(offset + from as u64, &vec![0; to - from]),
            Self::Bytes(bytes) => store.write(offset + from as u64, &bytes[from..to]),
        }
    }
}

impl Event {
    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Instant {
        match self {
            Self::Write { at, .. } | Self::Flush { at, .. } => *at,
        }
    }
}

/// What a drive held, and all that happened to it since.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Content when the recording began, all of it durable.
    pub base: Store,
    /// In the order in which the drive did them.
    pub events: Vec<Event>,
}

impl Recording {
    /// How many events had happened at a moment: a power cut then leaves what they left.
    #[must_use]
    pub fn events_at(&self, moment: Instant) -> usize {
        self.events.partition_point(|event| event.at() <= moment)
    }

    /// The last moment at which no more than the first `count` events had happened.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn moment_behind(&self, count: usize) -> Instant {
        match self.events.get(count) {
            Some(next) => next.at() - Duration::from_nanos(1),
            None => self.events.last().expect("a recording of something").at(),
        }
    }
}
