//! Places for pages in memory, over all connections of the reader.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::page_places::PagePlaces;
use logtank_engine::time::MonoNanos;
use tokio::sync::Notify;

use super::held::Shed;

/// Between two looks for peers that are too slow, while others wait.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The places, and who is to be told what.
pub(super) struct Places {
    places: RefCell<PagePlaces<IpAddr>>,
    tickets: RefCell<BTreeMap<u64, Rc<Ticket>>>,
    asked: Notify,
    /// Time in which somebody waited, as far as this thread has come to look: what it is late with is its own fault.
    waited: Cell<MonoNanos>,
}

#[derive(Debug, Default)]
struct Ticket {
    granted: Cell<bool>,
    changed: Notify,
    shed: Shed,
}

impl Places {
    pub(super) fn new(places: usize) -> Rc<Self> {
        Rc::new(Self {
            places: RefCell::new(PagePlaces::new(places)),
            tickets: RefCell::default(),
            asked: Notify::new(),
            waited: Cell::new(MonoNanos(0)),
        })
    }

    /// Completes when there is a place for a page of this peer's.
    pub(super) async fn place(self: &Rc<Self>, peer: IpAddr) -> Place {
        let name = self.places.borrow_mut().ask(peer);
        let place = self.ticket(name);
        self.grant();
        self.make_room();
        self.asked.notify_one();
        while !place.ticket.granted.get() {
            place.ticket.changed.notified().await;
        }
        place
    }

    /// A place for what the peer will ask for next, if nobody else needs it.
    pub(super) fn place_ahead(self: &Rc<Self>, peer: IpAddr) -> Option<Place> {
        let name = self.places.borrow_mut().ask_ahead(peer)?;
        Some(self.ticket(name))
    }

    fn ticket(self: &Rc<Self>, name: u64) -> Place {
        let ticket = Rc::<Ticket>::default();
        self.tickets.borrow_mut().insert(name, ticket.clone());
        Place { name, ticket, of: self.clone() }
    }

    fn grant(&self) {
        while let Some(name) = self.places.borrow_mut().grant() {
            if let Some(ticket) = self.tickets.borrow().get(&name) {
                ticket.granted.set(true);
                ticket.changed.notify_one();
            }
        }
    }

    fn make_room(&self) {
        let name = self.places.borrow_mut().in_the_way(self.waited.get());
        if let Some(ticket) = name.and_then(|name| self.tickets.borrow().get(&name).cloned()) {
            ticket.shed.now();
        }
    }

    /// Has those go that are too slow while others wait. Never completes.
    pub(super) async fn keep_moving(&self) {
        loop {
            self.asked.notified().await;
            while self.places.borrow().is_waited_for() {
                self.make_room();
                tokio::time::sleep(LOOK_EVERY).await;
                self.waited.set(self.waited.get() + LOOK_EVERY);
            }
        }
    }
}

/// Leave to hold a page in memory, given back when this is dropped.
pub(super) struct Place {
    name: u64,
    ticket: Rc<Ticket>,
    of: Rc<Places>,
}

impl Place {
    /// What was read ahead is asked for.
    pub(super) fn wanted(&self) {
        self.of.places.borrow_mut().wanted(self.name);
    }

    /// The page is being sent from now on.
    pub(super) fn sending(&self) {
        self.of.places.borrow_mut().sending(self.name, self.of.waited.get());
    }

    /// The peer has taken more of it.
    pub(super) fn taken(&self, bytes: u64) {
        self.of.places.borrow_mut().taken(self.name, bytes);
    }

    /// Completes when the place is needed by others more.
    pub(super) async fn is_needed(&self) {
        self.ticket.shed.happens().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.places.borrow_mut().leave(self.name);
        self.of.tickets.borrow_mut().remove(&self.name);
        self.of.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn who_takes_nothing_is_told_to_go_while_another_waits() {
        let places = Places::new(1);
        let deaf = places.place(PEER).await;
        deaf.sending();
        let began = std::time::Instant::now();
        let next = async {
            let place = places.place(PEER).await;
            assert!(place.ticket.granted.get());
        };
        let goes = async {
            deaf.is_needed().await;
            drop(deaf);
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(next, goes) } => {}
            () = places.keep_moving() => unreachable!("it never completes"),
        }
        assert!(began.elapsed() >= Duration::from_secs(5), "its bytes could have been on their way");
    }

    #[tokio::test]
    async fn a_page_read_ahead_gives_way_and_who_gives_up_waits_no_more() {
        let places = Places::new(1);
        let ahead = places.place_ahead(PEER).unwrap();
        assert!(places.place_ahead(PEER).is_none());
        let waits = tokio::time::timeout(Duration::from_millis(1), places.place(PEER)).await;
        assert!(waits.is_err(), "it has not left yet");
        ahead.is_needed().await;
        drop(ahead);
        let place = places.place(PEER).await;
        place.wanted();
        drop(place);
        assert!(!places.places.borrow().is_waited_for());
    }
}
