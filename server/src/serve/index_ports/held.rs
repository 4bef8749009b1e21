//! Memory of calls partly received and of encryption, over all connections of both ports.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use logtank_engine::holders::Holders;
use logtank_os::clock::mono;
use tokio::sync::Notify;

/// The bound, and who holds how much of it.
pub(super) struct Held {
    holders: RefCell<Holders>,
    connections: RefCell<BTreeMap<u64, Rc<Shed>>>,
    next: Cell<u64>,
}

/// Says that a connection has to go.
#[derive(Debug, Default)]
pub(super) struct Shed {
    shed: Cell<bool>,
    changed: Notify,
}

impl Shed {
    /// Completes when the connection has to go.
    pub(super) async fn happens(&self) {
        while !self.shed.get() {
            self.changed.notified().await;
        }
    }

    /// Whether the connection has to go.
    pub(super) fn has_happened(&self) -> bool {
        self.shed.get()
    }

    /// Has it go.
    pub(super) fn now(&self) {
        self.shed.set(true);
        self.changed.notify_one();
    }
}

impl Held {
    /// At most so many bytes.
    pub(super) fn new(bytes_max: usize) -> Rc<Self> {
        Rc::new(Self {
            holders: RefCell::new(Holders::new(bytes_max)),
            connections: RefCell::default(),
            next: Cell::new(0),
        })
    }

    /// What a connection holds: nothing so far.
    pub(super) fn share(self: &Rc<Self>) -> Share {
        let number = self.next.get();
        self.next.set(number + 1);
        let shed = Rc::<Shed>::default();
        self.connections.borrow_mut().insert(number, shed.clone());
        Share { number, shed, of: self.clone() }
    }
}

/// What one connection holds; nothing once it is dropped.
pub(super) struct Share {
    number: u64,
    shed: Rc<Shed>,
    of: Rc<Held>,
}

impl Share {
    /// It holds so many bytes now. Where that is too much in all, those go that held most for longest.
    pub(super) fn hold(&self, bytes: usize) {
        let shed = self.of.holders.borrow_mut().hold(self.number, bytes, mono());
        let connections = self.of.connections.borrow();
        for connection in shed.iter().filter_map(|number| connections.get(number)) {
            connection.now();
        }
    }

    /// What says that the connection has to go.
    pub(super) fn shed(&self) -> Rc<Shed> {
        self.shed.clone()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.holders.borrow_mut().release(self.number);
        self.of.connections.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn has_to_go(share: &Share) -> bool {
        let shed = share.shed();
        pin!(shed.happens()).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn who_held_most_goes_and_what_is_let_go_counts_no_more() {
        let held = Held::new(280);
        let (large, small, gone) = (held.share(), held.share(), held.share());
        gone.hold(90);
        drop(gone);
        large.hold(70);
        small.hold(30);
        let others = [held.share(), held.share(), held.share()];
        others.iter().for_each(|other| other.hold(60));
        assert!(!has_to_go(&large) && !has_to_go(&small));
        small.hold(31);
        assert!(has_to_go(&large) && !has_to_go(&small));
        assert_eq!(held.holders.borrow().bytes(), 3 * 60 + 31);
    }
}
