//! Who has the places of a port, and what each of them is doing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use logtank_engine::connection_places::{ConnectionPlaces, Full, Standing};
use logtank_engine::time::MonoNanos;

/// The connections of a port by a number of their own. A `Handle` is what ends one.
#[derive(Debug)]
pub(crate) struct PortPlaces<Handle> {
    places: ConnectionPlaces<IpAddr>,
    rows: BTreeMap<u64, Row<Handle>>,
    next: u64,
}

#[derive(Debug)]
struct Row<Handle> {
    handle: Handle,
    standing: Standing,
}

impl<Handle> PortPlaces<Handle> {
    /// So many places.
    pub(crate) const fn new(most: usize) -> Self {
        Self { places: ConnectionPlaces::new(most), rows: BTreeMap::new(), next: 0 }
    }

    /// Makes room for one more connection from this address. Returns what is to be ended for it.
    ///
    /// # Errors
    /// [`Full`] if none can give way: it is to be refused.
    pub(crate) fn make_room(&mut self, peer: IpAddr, now: MonoNanos) -> Result<Option<Handle>, Full> {
        let rows = &self.rows;
        let standing = |number| rows.get(&number).map_or(Standing::Busy, |row| row.standing);
        let gone = self.places.make_room(&peer.to_canonical(), now, standing)?;
        Ok(gone.and_then(|number| self.rows.remove(&number)).map(|row| row.handle))
    }

    /// The number that the next to come will have.
    pub(crate) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A connection has come.
    pub(crate) fn come(&mut self, number: u64, peer: IpAddr, handle: Handle, now: MonoNanos) {
        self.places.come(number, peer.to_canonical(), now);
        let standing = Standing::Resting { since: now };
        self.rows.insert(number, Row { handle, standing });
    }

    /// A connection has ended.
    pub(crate) fn gone(&mut self, number: u64) {
        self.places.gone(number);
        self.rows.remove(&number);
    }

    /// A connection asks for something.
    pub(crate) fn asks(&mut self, number: u64) {
        self.places.asked(number);
        self.set(number, Standing::Busy);
    }

    /// All that a connection asked for is answered.
    pub(crate) fn is_answered(&mut self, number: u64, now: MonoNanos) {
        self.set(number, Standing::Resting { since: now });
    }

    fn set(&mut self, number: u64, standing: Standing) {
        if let Some(row) = self.rows.get_mut(&number) {
            row.standing = standing;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn who_is_not_answered_yet_stays_and_who_has_gone_counts_no_more() {
        let mut places = PortPlaces::new(3);
        for name in ["scraper", "silent", "asking"] {
            assert_eq!(places.make_room(PEER, MonoNanos(0)), Ok(None));
            let number = places.number();
            places.come(number, PEER, name, MonoNanos(0));
        }
        places.asks(1);
        places.is_answered(1, MonoNanos(SECOND));
        places.asks(3);
        assert_eq!(places.make_room(PEER, MonoNanos(9 * SECOND)), Ok(Some("silent")));
        places.gone(2);
        let number = places.number();
        places.come(number, PEER, "next", MonoNanos(9 * SECOND));
        assert_eq!(places.make_room(PEER, MonoNanos(10 * SECOND)), Ok(Some("scraper")));
        places.asks(4);
        let number = places.number();
        places.come(number, PEER, "last", MonoNanos(10 * SECOND));
        places.asks(number);
        assert_eq!(places.make_room(PEER, MonoNanos(11 * SECOND)), Err(Full));
        places.gone(3);
        assert_eq!(places.make_room(PEER, MonoNanos(11 * SECOND)), Ok(None));
    }

    #[test]
    fn an_address_counts_once_however_it_is_written() {
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let mut places = PortPlaces::new(3);
        for (number, peer) in [(1, IpAddr::V6(Ipv6Addr::LOCALHOST)), (2, PEER), (3, mapped)] {
            places.come(number, peer, number, MonoNanos(number));
        }
        assert_eq!(places.make_room(IpAddr::V6(Ipv6Addr::LOCALHOST), MonoNanos(4)), Ok(Some(2)));
    }
}
