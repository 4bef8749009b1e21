//! Why connections end, and who says so.

use std::io;
use std::rc::Rc;

use tokio::sync::watch;

use super::held::Shed;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The host stops.
    Stopped,
    /// It holds too much memory, or a place that others wait for.
    Shed,
    /// It rests, and its place is another's now.
    GaveWay,
    /// The peer took too long, or the connection has failed.
    Gone,
    /// The two sides did not agree on the encryption.
    Unsecured(io::Error),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// What can end a connection from outside.
pub(super) struct Ending {
    stop: watch::Receiver<bool>,
    shed: Rc<Shed>,
    leave: Rc<Shed>,
}

impl Ending {
    /// `stop`: the host stops. `shed`: it holds too much. `leave`: another one has its place.
    pub(super) const fn new(stop: watch::Receiver<bool>, shed: Rc<Shed>, leave: Rc<Shed>) -> Self {
        Self { stop, shed, leave }
    }

    /// Completes when the connection has to end, whatever it is doing.
    pub(super) async fn comes(&self) -> End {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            // Who could change it is there for as long as the host runs.
            _ = stop.wait_for(|stop| *stop) => End::Stopped,
            () = self.shed.happens() => End::Shed,
        }
    }

    /// Completes when what it sends has to end, since it holds too much.
    pub(super) async fn is_shed(&self) -> End {
        self.shed.happens().await;
        End::Shed
    }

    /// Whether another one has its place.
    pub(super) fn has_to_leave(&self) -> bool {
        self.leave.has_happened()
    }

    /// Completes when another one has its place.
    pub(super) async fn leaves(&self) -> End {
        self.leave.happens().await;
        End::GaveWay
    }
}
