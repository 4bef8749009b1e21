//! Whether batches are taken, refused, or have to wait for room on the drive.

use crate::raw_log::write::writer::Writer;

/// What the host said last, and whether it is asked.
#[derive(Debug)]
pub(super) struct Admission {
    allowed: bool,
    /// It was said that batches wait for room on the drive.
    asked: bool,
}

impl Admission {
    /// Batches are taken.
    pub(super) const fn new() -> Self {
        Self { allowed: true, asked: false }
    }

    /// The host says whether batches are taken; it looked at the drive.
    pub(super) const fn allow(&mut self, allowed: bool) {
        (self.allowed, self.asked) = (allowed, false);
    }

    /// Whether batches are taken, rather than refused.
    pub(super) const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whether batches wait until the host has looked at the room on the drive. While they are refused, none waits.
    pub(super) fn waits(&self, writer: &Writer) -> bool {
        self.allowed && !writer.may_be_dealt()
    }

    /// Whether batches wait until a segment is at hand that takes them. While they are refused, none waits.
    pub(super) fn waits_for_place(&self, writer: &Writer) -> bool {
        self.allowed && !writer.has_place()
    }

    /// Whether the host has to be asked to look, now that a batch waits: once.
    pub(super) fn asks(&mut self, writer: &Writer) -> bool {
        self.waits(writer) && !std::mem::replace(&mut self.asked, true)
    }
}
