//! A run: connections opened, driven by a ring or by epoll, measured.

use std::io::{Error, Result};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use logtank_os::ring::RingConfig;

use super::ledger::Ledger;
use super::live::Live;
use super::measured::{GeneratorUse, Measured, Percentiles, curve};
use super::records::Generator;
use super::session::{Outcome, Plan, Session};
use super::shape::Shape;
use super::source::Source;
use super::{epoll, pace::Pace, uring};
use crate::machine;
use crate::protocol::Protocol;

/// What the connections run on.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// `io_uring` where there is one, else epoll.
    Auto,
    /// A ring set up as a host's.
    Uring,
    /// Works everywhere.
    Epoll,
}

/// A load to be run.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) addr: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) connections: usize,
    pub(crate) shape: Shape,
    /// Records a second; closed loop without.
    pub(crate) rate: Option<f64>,
    pub(crate) duration: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) engine: Engine,
    pub(crate) spin: bool,
    /// Make each request when it is sent.
    pub(crate) fresh: bool,
    /// End when this many records were sent.
    pub(crate) records_max: Option<u64>,
}

impl Load {
    /// Closed loop against a host, everything else as a user gets it.
    pub(crate) fn new(addr: SocketAddr, protocol: Protocol, connections: usize, shape: &Shape) -> Self {
        Self {
            addr,
            protocol,
            connections,
            shape: shape.clone(),
            rate: None,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(2),
            engine: Engine::Auto,
            spin: false,
            fresh: false,
            records_max: None,
        }
    }

    /// # Errors
    /// If it makes no sense.
    fn check(&self) -> Result<()> {
        self.shape.check()?;
        if self.connections == 0 {
            return Err(Error::other("--connections must be at least 1"));
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(Error::other("--rate must be more than 0"));
        }
        Ok(())
    }

    fn connect(&self) -> Result<Vec<TcpStream>> {
        let one = |number| {
            let mut socket = TcpStream::connect(self.addr)
                .map_err(|error| Error::new(error.kind(), format!("connecting to {}: {error}", self.addr)))?;
            socket.set_nodelay(true)?;
            self.protocol.greet(&mut socket, number)?;
            Ok(socket)
        };
        (0..self.connections).map(one).collect()
    }

    fn measured(&self, outcome: &Outcome, engine: &str) -> Measured {
        let batch = self.shape.batch;
        let seconds = outcome.measured.as_secs_f64();
        let requests = outcome.measure.all.len();
        let records = requests * batch as u64;
        let rate = Measured::rate(records, outcome.measured);
        Measured {
            loop_kind: if self.rate.is_some() { "open" } else { "closed" }.to_owned(),
            offered_records_per_second: self.rate,
            connections: self.connections,
            batch,
            record_bytes: self.shape.record_bytes,
            seconds,
            records,
            records_per_second: rate,
            bytes_per_second: rate * self.shape.record_bytes as f64,
            refused: outcome.refused,
            broken: outcome.broken,
            latency_us: Percentiles::of(&outcome.measure.all),
            curve: curve(&outcome.measure.all),
            timeline: outcome.measure.slots().to_vec(),
            generator: GeneratorUse {
                engine: engine.to_owned(),
                busy: outcome.processor.as_secs_f64() / seconds,
                processor_us_per_request: outcome.processor.as_secs_f64() * 1e6 / requests.max(1) as f64,
            },
        }
    }
}

/// Runs a load. `ledger`, if given, learns what was acknowledged; `begun` is called when measuring begins and when it
/// ends.
///
/// # Errors
/// If a connection can't be opened, or all of them broke.
pub(crate) fn measure(
    load: &Load,
    run: &str,
    ledger: Option<Ledger>,
    live: Live,
    edge: &mut dyn FnMut(Edge),
) -> Result<(Measured, Option<Ledger>)> {
    load.check()?;
    let (batch, sockets) = (load.shape.batch, load.connect()?);
    let generator = Generator::new(&load.shape, run);
    let source = if load.fresh || ledger.is_some() {
        Source::fresh(generator, &load.protocol, batch, ledger)
    } else {
        Source::prebuilt(generator, &load.protocol, load.connections, batch)
    };
    let now = Instant::now();
    let plan = Plan {
        batch,
        measure_from: now + load.warm_up,
        measure_to: now + load.warm_up + load.duration,
        pace: load.rate.map(|rate| Pace::new(now, rate / batch as f64)),
        spin: load.spin,
        requests_max: load.records_max.map(|records| records.div_ceil(batch as u64)),
    };
    let replies = (0..load.connections).map(|_| load.protocol.replies(batch)).collect();
    let mut session = Session::new(plan, source, replies, live, edge);
    let engine = run_engine(load.engine, sockets, &mut session)?;
    let mut outcome = session.finish()?;
    let ledger = outcome.ledger.take();
    Ok((load.measured(&outcome, engine), ledger))
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Measuring begins.
    Begin,
    /// It is over.
    End,
}

fn run_engine(engine: Engine, sockets: Vec<TcpStream>, session: &mut Session<'_>) -> Result<&'static str> {
    // Sleeping longer than was asked for would count as the host's latency.
    if let Err(error) = machine::wake_in_time() {
        eprintln!("logtank-bench: timers stay coarse: {error}");
    }
    let config = RingConfig { receive_buffers: 512, receive_buffer_bytes: 8 * 1024, ..RingConfig::default() };
    match engine {
        Engine::Epoll => epoll::run(sockets, session).map(|()| "epoll"),
        Engine::Uring => uring::run(&config, &sockets, session).map(|()| "io_uring"),
        Engine::Auto => match uring::run(&config, &sockets, session) {
            // Refused when the ring is set up, so nothing was sent yet.
            Err(_) if !session.has_begun() => epoll::run(sockets, session).map(|()| "epoll"),
            outcome => outcome.map(|()| "io_uring"),
        },
    }
}
