//! The thread of both ports.

use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::jobs::Policy;
use logtank_engine::recovery_read::{ReadOptions, Reader, TokenKey};
use logtank_engine::store::Store;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::tls::TlsConfig;

use super::calls::{Answerer, Service};
use super::connection::Bounds;
use super::held::Held;
use super::places::Places;
use super::port::Port;
use super::seats::{Open, Seats};
use super::turns::Turns;
use crate::metrics::Beat;
use crate::serve::boot::boot;
use crate::serve::events::{HostEvent, Step};
use crate::serve::handles::Handles;
use crate::serve::listeners;

/// A page that is being sent when the host stops may be finished, for so long.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Calls partly received, and their encryption, may have this part of the memory; pages have the rest.
const CALLS_SHARE: usize = 16;
/// Between two looks for segments that are held open and read no more.
const RELEASE_EVERY: Duration = Duration::from_secs(30);

/// What the thread needs.
pub(in crate::serve) struct IndexThread {
    pub(in crate::serve) handles: Handles,
    pub(in crate::serve) reader: Listening,
    pub(in crate::serve) manager: Listening,
    pub(in crate::serve) bounds: Bounds,
    pub(in crate::serve) key: TokenKey,
    pub(in crate::serve) policy: Policy,
    pub(in crate::serve) beat: Beat,
}

/// A port that can be connected to, and how its connections are encrypted.
pub(in crate::serve) struct Listening {
    pub(in crate::serve) listener: TcpListener,
    pub(in crate::serve) tls: Option<TlsConfig>,
}

impl IndexThread {
    /// Serves both ports until the host stops.
    ///
    /// # Errors
    /// If there is no ring, the folders can't be opened, or a port fails for good.
    pub(in crate::serve) fn run(self) -> anyhow::Result<()> {
        block_on(self.serve())?
    }

    async fn serve(self) -> anyhow::Result<()> {
        let Self { handles, reader, manager, bounds, key, policy, beat } = self;
        let stop = handles.stop.clone();
        let common = Common::new(handles, bounds, key, policy)?;
        let closers = [reader.listener.try_clone()?, manager.listener.try_clone()?];
        common.handles.events.send(HostEvent::Step(Step::Equipped));
        let reader_port = common.port(Service::Reader, reader.tls).accept(reader.listener, stop.clone());
        let manager_port = common.port(Service::Manager, manager.tls).accept(manager.listener, stop);
        let watch = async {
            common.watch(beat).await;
            closers.iter().for_each(listeners::close);
            Ok(())
        };
        tokio::try_join!(reader_port, manager_port, watch)?;
        // Whoever is still being served then is slower than a recovery has to be; it goes on after the restart.
        let _ = tokio::time::timeout(STOP_PATIENCE, common.open.none()).await;
        Ok(())
    }
}

/// What both ports share.
struct Common {
    handles: Handles,
    bounds: Bounds,
    store: Store<UringDisk>,
    reader: Rc<Reader<UringDisk, SystemClock>>,
    pages: Rc<Places>,
    turns: Rc<Turns>,
    held: Rc<Held>,
    open: Rc<Open>,
}

impl Common {
    fn new(handles: Handles, bounds: Bounds, key: TokenKey, policy: Policy) -> anyhow::Result<Self> {
        let store = handles.tree.store(Throttle::new(policy, handles.signal.clone()))?;
        let options = ReadOptions { boot: boot(), ..ReadOptions::default() };
        let reader = Rc::new(Reader::new(store.clone(), SystemClock, key, options));
        // Memory for pages that are being filled or sent, and for calls partly received.
        let bytes_max = handles.limits.in_flight_bytes_max;
        let held_bytes_max = bytes_max / CALLS_SHARE;
        let pages = Answerer::pages_at_once(bytes_max - held_bytes_max);
        let (turns, held, open) = (Turns::new(), Held::new(held_bytes_max), Rc::default());
        Ok(Self { handles, bounds, store, reader, pages, turns, held, open })
    }

    fn port(&self, service: Service, tls: Option<TlsConfig>) -> Port {
        let (store, reader, pages) = (self.store.clone(), self.reader.clone(), self.pages.clone());
        let (name, metrics) = (service.name(), self.handles.metrics.clone());
        Port {
            name,
            tls,
            answerer: Rc::new(Answerer::new(service, store, reader, pages, &self.handles)),
            bounds: self.bounds,
            seats: Seats::new(name, self.handles.limits.connections_max, self.open.clone(), metrics.clone()),
            metrics,
            turns: self.turns.clone(),
            held: self.held.clone(),
        }
    }

    /// Looks after what both ports hold, until the host stops.
    async fn watch(&self, beat: Beat) {
        let mut stop = self.handles.stop.clone();
        let releasing = async {
            loop {
                tokio::time::sleep(RELEASE_EVERY).await;
                self.reader.release_idle();
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = releasing => {}
            () = self.pages.keep_moving() => {}
            never = beat.tick() => match never {},
        }
    }
}
