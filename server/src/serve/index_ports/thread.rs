use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use logtank_engine::jobs::governor::Policy;
use logtank_engine::jobs::shared::Shared;
use logtank_engine::recovery_read::options::ReadOptions;
use logtank_engine::recovery_read::reader::Reader;
use logtank_engine::recovery_read::token::TokenKey;
use logtank_os::append_signal::AppendSignal;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, block_on};
use logtank_os::tls::TlsConfig;
use tokio::sync::watch;

use super::calls::{Answerer, Service};
use super::connection::Bounds;
use super::held::Held;
use super::port::Port;
use super::seats::{Open, Seats};
use super::turns::Turns;
use crate::metrics::{Beat, HostMetrics};
use crate::serve::boot::boot;
use crate::serve::events::{Events, HostEvent, Step};
use crate::serve::{Tree, listeners};

/// A page that is being sent when the host stops may be finished, for so long.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Calls partly received, and their encryption, may have this part of the memory; pages have the rest.
const CALLS_SHARE: usize = 16;
/// Between two looks for segments that are held open and read no more.
const RELEASE_EVERY: Duration = Duration::from_secs(30);

/// What the thread needs.
pub(in crate::serve) struct IndexThread {
    pub(in crate::serve) tree: Tree,
    pub(in crate::serve) reader: TcpListener,
    pub(in crate::serve) manager: TcpListener,
    pub(in crate::serve) bounds: Bounds,
    /// How each port's connections are encrypted.
    pub(in crate::serve) reader_tls: Option<TlsConfig>,
    pub(in crate::serve) manager_tls: Option<TlsConfig>,
    /// Memory for pages that are being filled or sent, and for calls partly received.
    pub(in crate::serve) memory_bytes_max: usize,
    pub(in crate::serve) key: TokenKey,
    pub(in crate::serve) policy: Policy,
    pub(in crate::serve) shared: Arc<Shared>,
    pub(in crate::serve) signal: Arc<AppendSignal>,
    pub(in crate::serve) metrics: HostMetrics,
    pub(in crate::serve) events: Events,
    pub(in crate::serve) beat: Beat,
    pub(in crate::serve) stop: watch::Receiver<bool>,
}

impl IndexThread {
    /// Serves both ports until the host stops.
    ///
    /// # Errors
    /// If there is no ring, the folders can't be opened, or a port fails for good.
    pub(in crate::serve) fn run(self) -> anyhow::Result<()> {
        block_on(async {
            let store = self.tree.store(Throttle::new(self.policy.clone(), self.signal.clone()))?;
            let reader = Rc::new(Reader::new(
                store.clone(),
                SystemClock,
                self.key,
                ReadOptions { boot: boot(), ..ReadOptions::default() },
            ));
            let held_bytes_max = self.memory_bytes_max / CALLS_SHARE;
            let pages = Answerer::pages_at_once(self.memory_bytes_max - held_bytes_max);
            let (turns, held) = (Turns::new(), Held::new(held_bytes_max));
            let open = Rc::new(Open::default());
            let closers = [self.reader.try_clone()?, self.manager.try_clone()?];
            self.events.send(HostEvent::Step(Step::Equipped));
            let port = |tls, service: Service| {
                let (reader, shared, metrics) = (reader.clone(), self.shared.clone(), self.metrics.clone());
                let answerer = Answerer::new(service, store.clone(), reader, shared, pages.clone(), metrics);
                Port {
                    name: service.name(),
                    tls,
                    answerer: Rc::new(answerer),
                    bounds: self.bounds,
                    metrics: self.metrics.clone(),
                    seats: Seats::new(
                        service.name(),
                        self.bounds.connections_max,
                        open.clone(),
                        self.metrics.clone(),
                    ),
                    turns: turns.clone(),
                    held: held.clone(),
                }
            };
            let reader_port = port(self.reader_tls, Service::Reader).accept(self.reader, self.stop.clone());
            let manager_port =
                port(self.manager_tls, Service::Manager).accept(self.manager, self.stop.clone());
            let mut stop = self.stop.clone();
            let watch = async {
                let releasing = async {
                    loop {
                        tokio::time::sleep(RELEASE_EVERY).await;
                        reader.release_idle();
                    }
                };
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = releasing => {}
                    () = pages.keep_moving() => {}
                    never = self.beat.tick() => match never {},
                }
                closers.iter().for_each(listeners::close);
                Ok(())
            };
            tokio::try_join!(reader_port, manager_port, watch)?;
            // Whoever is still being served then is slower than a recovery has to be; it goes on after the restart.
            let _ = tokio::time::timeout(STOP_PATIENCE, open.none()).await;
            Ok(())
        })?
    }
}
