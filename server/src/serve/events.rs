//! What the threads of a host tell its main thread.

use std::sync::mpsc::{Receiver, Sender, channel};

use logtank_engine::sequencer::Sequencer;

use super::thread::Thread;

/// What the main thread waits for while it starts.
#[derive(Debug)]
pub(super) enum Step {
    /// The raw log is in order; this hands out the positions of what is appended.
    Recovered(Sequencer),
    /// Every shard has a segment to append to; or there is no room for one, and they will refuse batches.
    Stocked,
    /// The background or the index thread has its ring and every descriptor that it can't do without.
    Equipped,
}

/// Something that the main thread must act on.
#[derive(Debug)]
pub(super) enum HostEvent {
    /// Asked to end, by this signal.
    Signal(i32),
    /// A step of the start is done.
    Step(Step),
    /// The log can't be written any more.
    Fatal(String),
    /// A thread has ended; with an error, the host can't go on.
    Ended(Thread, anyhow::Result<()>),
}

/// Where threads send their events. One channel for all, so that the main thread waits in one place.
#[derive(Clone, Debug)]
pub(super) struct Events(Sender<HostEvent>);

impl Events {
    /// A channel and its other end.
    pub(super) fn new() -> (Self, Receiver<HostEvent>) {
        let (sender, receiver) = channel();
        (Self(sender), receiver)
    }

    /// Sends an event. Nobody listens any more once the host has stopped, and then nothing matters.
    pub(super) fn send(&self, event: HostEvent) {
        let _ = self.0.send(event);
    }

    /// Starts a thread whose end is an event.
    ///
    /// # Errors
    /// If the system refuses one more thread.
    pub(super) fn spawn(
        &self,
        thread: Thread,
        body: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> std::io::Result<()> {
        let events = self.clone();
        let run = move || {
            let outcome = body();
            events.send(HostEvent::Ended(thread, outcome));
        };
        std::thread::Builder::new().name(thread.to_string()).spawn(run).map(drop)
    }
}
