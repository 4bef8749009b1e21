//! The connections that a port has: how many, and which gives way when there are as many as may be.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use logtank_engine::connection_places::Full;
use logtank_os::clock::mono;
use tokio::sync::Notify;

use super::held::Shed;
use crate::metrics::HostMetrics;
use crate::port_places::PortPlaces;

/// How many connections there are, over both ports.
#[derive(Debug, Default)]
pub(super) struct Open {
    count: Cell<usize>,
    closed: Notify,
}

impl Open {
    /// Completes when there are none.
    pub(super) async fn none(&self) {
        while self.count.get() > 0 {
            self.closed.notified().await;
        }
    }
}

/// The connections of one port.
pub(super) struct Seats {
    port: &'static str,
    places: RefCell<PortPlaces<Rc<Shed>>>,
    /// With those that gave way and have not ended yet.
    open: Cell<usize>,
    of_all: Rc<Open>,
    metrics: HostMetrics,
}

impl Seats {
    /// At most so many.
    pub(super) fn new(port: &'static str, most: usize, of_all: Rc<Open>, metrics: HostMetrics) -> Rc<Self> {
        let places = RefCell::new(PortPlaces::new(most));
        Rc::new(Self { port, places, open: Cell::new(0), of_all, metrics })
    }

    /// One more connection of this peer, for which another one may have to leave; `None`: it is refused.
    pub(super) fn admit(self: &Rc<Self>, peer: IpAddr) -> Option<Seat> {
        let mut places = self.places.borrow_mut();
        match places.make_room(peer, mono()) {
            Ok(gives_way) => gives_way.iter().for_each(|leave| leave.now()),
            Err(Full) => {
                self.metrics.index_connections_refused.of([self.port]).add(1);
                return None;
            }
        }
        let (number, leave) = (places.number(), Rc::<Shed>::default());
        places.come(number, peer, leave.clone(), mono());
        drop(places);
        self.count(1);
        Some(Seat { number, leave, has_asked: Cell::new(false), of: self.clone() })
    }

    fn count(&self, change: isize) {
        for count in [&self.open, &self.of_all.count] {
            count.set(count.get().checked_add_signed(change).expect("who goes has come"));
        }
        self.of_all.closed.notify_one();
        self.metrics.index_connections.of([self.port]).set(self.open.get() as u64);
    }
}

/// One connection's; it is another's when this is dropped.
pub(super) struct Seat {
    number: u64,
    leave: Rc<Shed>,
    has_asked: Cell<bool>,
    of: Rc<Seats>,
}

impl Seat {
    /// What says that another one has the place.
    pub(super) fn leave(&self) -> Rc<Shed> {
        self.leave.clone()
    }

    /// Something of a call has come: the connection stays until it rests.
    pub(super) fn asks(&self) {
        self.has_asked.set(true);
        self.of.places.borrow_mut().asks(self.number);
    }

    /// All that it asked for is answered, and nothing more has come.
    pub(super) fn rests(&self) {
        if self.has_asked.get() {
            self.of.places.borrow_mut().is_answered(self.number, mono());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.of.places.borrow_mut().gone(self.number);
        self.of.count(-1);
    }
}
