use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use logtank_engine::jobs::{AppendLoad, Decision, Governor, Policy};
use tokio::sync::{Mutex, Notify};

use crate::append_signal::AppendSignal;
use crate::clock;

/// Lets background transfers through one governor, in the order in which they ask. Clones share it.
#[derive(Clone, Debug)]
pub struct Throttle(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    governor: RefCell<Governor>,
    signal: Option<Arc<AppendSignal>>,
    // Who holds it is the next to be let through.
    turn: Mutex<()>,
    finished: Notify,
}

/// Leave for one transfer, which is over when this is dropped.
pub(super) struct Leave {
    shared: Rc<Shared>,
    bytes: usize,
    unused: usize,
}

impl Leave {
    /// Bytes that may be transferred.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The transfer moved only so many bytes.
    pub(super) const fn moved(&mut self, bytes: usize) {
        self.unused = self.bytes.saturating_sub(bytes);
    }
}

impl Throttle {
    /// Gives way to the appends that `signal` tells of.
    #[must_use]
    pub fn new(policy: Policy, signal: Arc<AppendSignal>) -> Self {
        Self::with(policy, Some(signal))
    }

    /// Bounds depth and length of transfers only: where there are no appends to protect.
    #[must_use]
    pub fn none() -> Self {
        Self::with(Policy::default(), None)
    }

    fn with(policy: Policy, signal: Option<Arc<AppendSignal>>) -> Self {
        let governor = RefCell::new(Governor::new(policy));
        Self(Rc::new(Shared { governor, signal, turn: Mutex::new(()), finished: Notify::new() }))
    }

    /// Waits until a transfer of up to `bytes` may begin.
    ///
    /// The future must go on being polled, as must whatever holds a [`Leave`]: others wait for it.
    pub(super) async fn admit(&self, bytes: usize) -> Leave {
        let shared = &self.0;
        let _turn = shared.turn.lock().await;
        loop {
            let now = clock::mono();
            let load = shared.signal.as_ref().map_or(AppendLoad::NONE, |signal| signal.load(now));
            let decision = shared.governor.borrow_mut().request(now, load, bytes);
            match decision {
                Decision::Go { bytes } => return Leave { shared: shared.clone(), bytes, unused: 0 },
                Decision::Wait(duration) => tokio::time::sleep(duration).await,
                Decision::AwaitFinished => shared.finished.notified().await,
            }
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.shared.governor.borrow_mut().finished(self.unused);
        self.shared.finished.notify_one();
    }
}
