//! Which call fails.

use std::io::{Error, ErrorKind};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Failing {
    #[default]
    Nothing,
    /// This call and all after it.
    Dead(usize),
    Kind(usize, ErrorKind),
    Code(usize, i32),
}

/// What comes of the calls, by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    calls: usize,
    failing: Failing,
}

/// Why a call fails.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was not made: its process is dead, or something was wanting before it began. It has no effect.
    NotMade(Error),
    /// It was made, and failed.
    Failed(Error),
}

impl Faults {
    pub(super) fn die_at(call: usize) -> Self {
        Self { calls: 0, failing: Failing::Dead(call) }
    }

    pub(super) fn fail_at(call: usize, kind: ErrorKind) -> Self {
        Self { calls: 0, failing: Failing::Kind(call, kind) }
    }

    pub(super) fn fail_with(call: usize, code: i32) -> Self {
        Self { calls: 0, failing: Failing::Code(call, code) }
    }

    /// Nothing fails any more.
    pub(super) const fn heal(&mut self) {
        self.failing = Failing::Nothing;
    }

    pub(super) const fn calls(&self) -> usize {
        self.calls
    }

    /// The next call.
    pub(super) fn next(&mut self) -> Result<(), Fault> {
        let call = self.calls;
        self.calls += 1;
        match self.failing {
            Failing::Dead(at) if call >= at => Err(Fault::NotMade(ErrorKind::ConnectionAborted.into())),
            Failing::Kind(at, kind) if call == at => Err(Fault::Failed(kind.into())),
            Failing::Code(at, code) if call == at => Err(Fault::NotMade(Error::from_raw_os_error(code))),
            _ => Ok(()),
        }
    }
}
