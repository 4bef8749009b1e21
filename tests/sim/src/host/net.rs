//! The network between clients and shards: bytes arrive in any portions, and either side may go away.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::oracle::Attempt;

/// A connection, as both ends have it.
#[derive(Clone, Default)]
pub struct Link(Rc<Ends>);

#[derive(Default)]
struct Ends {
    state: RefCell<State>,
    client: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// On the way to the server.
    pub(super) requests: VecDeque<u8>,
    /// The next portion of them arrives at this time.
    pub(super) arrives_at: u64,
    /// How many bytes were ever sent, and taken by the server.
    sent: u64,
    taken: u64,
    /// Where each sending ends.
    ends: VecDeque<(u64, Attempt)>,
    /// Arrived at the client.
    replies: Vec<u8>,
    pub(super) client_gone: bool,
    pub(super) server_gone: bool,
    pub(super) paused: bool,
}

impl Link {
    /// The client sends a call.
    pub fn send(&self, bytes: &[u8], attempt: Attempt) {
        let mut state = self.0.state.borrow_mut();
        state.requests.extend(bytes);
        state.sent += bytes.len() as u64;
        let end = state.sent;
        state.ends.push_back((end, attempt));
    }

    /// The client closes; what is under way may still arrive, if `arrives`.
    pub fn leave(&self, arrives: bool) {
        let mut state = self.0.state.borrow_mut();
        state.client_gone = true;
        if !arrives {
            state.requests.clear();
        }
    }

    /// Whether the server closed, or died.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.state.borrow().server_gone
    }

    /// Bytes that arrived at the client; waits until there are some, or the connection is broken.
    pub async fn receive(&self) -> Option<Vec<u8>> {
        loop {
            let notified = self.0.client.notified();
            {
                let mut state = self.0.state.borrow_mut();
                if !state.replies.is_empty() {
                    return Some(std::mem::take(&mut state.replies));
                }
                if state.server_gone {
                    return None;
                }
            }
            notified.await;
        }
    }

    pub(super) fn state(&self) -> std::cell::RefMut<'_, State> {
        self.0.state.borrow_mut()
    }

    /// The server goes away.
    pub fn breaks(&self) {
        self.0.state.borrow_mut().server_gone = true;
        self.0.client.notify_waiters();
    }

    /// A reply arrives.
    pub(super) fn replies(&self, bytes: &[u8]) {
        self.0.state.borrow_mut().replies.extend_from_slice(bytes);
        self.0.client.notify_waiters();
    }
}

impl State {
    /// The server took so many bytes; calls `whole` for each sending that is whole with them.
    pub(super) fn taken(&mut self, bytes: usize, mut whole: impl FnMut(Attempt)) {
        self.requests.drain(..bytes);
        self.taken += bytes as u64;
        while let Some((end, attempt)) = self.ends.front().copied().filter(|(end, _)| *end <= self.taken) {
            debug_assert!(end <= self.taken);
            whole(attempt);
            self.ends.pop_front();
        }
    }
}
