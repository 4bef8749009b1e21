//! The order in which a host starts and ends.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use anyhow::{Context, anyhow};
use logtank_engine::host::{Ballast, Indexes};
use logtank_engine::jobs::{JobStats, Shared, Turns};
use logtank_engine::raw_log::AppendMode;
use logtank_engine::recovery_read::TokenKey;
use logtank_os::append_signal::AppendSignal;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use super::acceptor::{Acceptor, Destination};
use super::addresses::{self, Addresses, OrOff};
use super::appends::Appends;
use super::background::{BackgroundThread, jobs_config, policy};
use super::events::{Events, HostEvent, Step};
use super::handles::Handles;
use super::index_ports::{Bounds, IndexThread, Listening};
use super::listeners::{self, Bound};
use super::machine::{self, check_machine};
use super::placement::Placement;
use super::raw_log::RawLog;
use super::segments::{Reported, Segments};
use super::service_manager;
use super::shards::{self, Shard, ToRawLog};
use super::shortage::{self, Needs};
use super::space::{Home, SpaceWatch};
use super::thread::Thread;
use super::{Tree, certificate, lag, panics, signals};
use crate::causes::causes;
use crate::config::{PortTls, Role, Settings};
use crate::metrics::{self, Beat, Exporter, Health, HostMetrics, Names, Page, Sources};

/// What the two loops of the background thread count.
type Count = fn(&JobStats) -> &Turns;
/// The two loops of the background thread, each with a name of its own: one may hang while the other turns.
const LOOPS: [(&str, Count); 2] =
    [("dealing", |stats| &stats.dealing_turns), ("optimizing", |stats| &stats.tending_turns)];

/// Runs a host until it is asked to end, or can't go on.
///
/// # Errors
/// Why it can't start.
pub(crate) fn run(settings: &Settings, announce: impl FnOnce(&Addresses)) -> anyhow::Result<ExitCode> {
    start_and_serve(settings, announce).map_err(|error| {
        let shards = settings.shards.map_or_else(logical_processors, u64::from);
        let needs = Needs { shards, open_files: machine::open_files(settings) };
        match shortage::advice(&error, needs) {
            Some(advice) => anyhow!("{}; {advice}", causes(&error)),
            None => error,
        }
    })
}

/// As many shards as there can be without a setting.
fn logical_processors() -> u64 {
    std::thread::available_parallelism().map_or(1, |number| number.get() as u64)
}

fn start_and_serve(settings: &Settings, announce: impl FnOnce(&Addresses)) -> anyhow::Result<ExitCode> {
    panics::abort();
    check_machine()?;
    machine::raise_limits(settings)?;
    let (events, heard) = Events::new();
    let metrics = HostMetrics::default();
    certificate::note(&settings.tls, &metrics);
    let read_again = {
        let (tls, metrics) = (settings.tls.clone(), metrics.clone());
        move || certificate::read_again(&tls, &metrics)
    };
    signals::watch(events.clone(), read_again).context("signal handlers can't be installed")?;
    let tree = Tree::open(&settings.data, settings.raw_dir.as_deref())?;
    machine::warn_of_root(&tree);
    let _locks = tree.lock(settings.role.writes(), settings.role.indexes())?;
    let key = tree.initialize()?;
    machine::check_drives(&tree, settings.sync);
    let mut host = Host::new(settings, tree, events, metrics)?;
    match host.start(key, &heard, announce)? {
        Started::Running => host.serve(&heard),
        Started::Asked => Ok(ExitCode::SUCCESS),
    }
}

/// What came of starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    Running,
    /// Asked to end before it was ready.
    Asked,
}

/// A host.
pub(super) struct Host<'s> {
    settings: &'s Settings,
    /// What its threads share.
    pub(super) handles: Handles,
    /// How frames are written; `None` as long as it is not known, or for a process without shards.
    append: Option<AppendMode>,
    pub(super) shards: Vec<Shard>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) stop_space: Option<Sender<()>>,
    appends: Appends,
    pub(super) acceptor: Option<Arc<TcpListener>>,
    /// Those that run.
    pub(super) threads: Vec<Thread>,
}

impl<'s> Host<'s> {
    fn new(settings: &'s Settings, tree: Tree, events: Events, metrics: HostMetrics) -> anyhow::Result<Self> {
        let placement =
            Placement::choose(settings.shards).context("finding out which processors there are")?;
        let shards = if settings.role.writes() { shards::create(&placement)? } else { Vec::new() };
        machine::check_memory(settings, shards.len());
        metrics.syncs(settings.sync);
        let mailboxes = shards.iter().map(|shard| shard.mailbox.clone()).collect();
        let (health, stop) = (Health::starting(), watch::Sender::new(false));
        Ok(Self {
            appends: Appends::new(mailboxes, health.clone(), metrics.clone()),
            append: None,
            settings,
            handles: Handles {
                tree,
                limits: settings.limits.clone(),
                placement,
                shared: Arc::new(Shared::new()),
                signal: AppendSignal::new(shards.len()),
                health,
                metrics,
                events,
                stop: stop.subscribe(),
            },
            shards,
            stopping: Arc::default(),
            stop,
            stop_space: None,
            acceptor: None,
            threads: Vec::new(),
        })
    }

    fn spawn(
        &mut self,
        thread: Thread,
        body: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.handles.spawn(thread, body)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Starts everything. Ports are taken first, so that a wrong address is found before a long recovery, and
    /// opened last; the writer's when every thread has what it can't do without, so that a host that took a batch
    /// does not end for want of it.
    fn start(
        &mut self,
        key: TokenKey,
        heard: &Receiver<HostEvent>,
        announce: impl FnOnce(&Addresses),
    ) -> anyhow::Result<Started> {
        let settings = self.settings;
        let bind = |wanted: bool, address| if wanted { listeners::bind(address).map(Some) } else { Ok(None) };
        let writer = bind(settings.role.writes(), settings.writer_addr)?;
        let reader = bind(settings.role.indexes(), settings.reader_addr)?;
        let manager = bind(settings.role.indexes(), settings.manager_addr)?;
        let metrics = settings.metrics_addr.map(listeners::bind).transpose()?;
        let addresses = Addresses {
            writer: addresses::of(writer.as_ref())?,
            reader: addresses::of(reader.as_ref())?,
            manager: addresses::of(manager.as_ref())?,
            metrics: addresses::of(metrics.as_ref())?,
        };
        if let Some(metrics) = metrics {
            self.serve_metrics(metrics)?;
        }
        // After the metrics port listens: it answers whoever learns its address here.
        announce(&addresses);
        if writer.is_some() && self.start_writer(heard)? == Started::Asked {
            return Ok(Started::Asked);
        }
        if let (Some(reader), Some(manager)) = (reader, manager) {
            let (reader, manager) = (reader.listen()?, manager.listen()?);
            if self.start_indexes(reader, manager, key, heard)? == Started::Asked {
                return Ok(Started::Asked);
            }
        }
        self.start_space()?;
        if let Some(writer) = writer {
            self.open_writer(writer)?;
        }
        self.handles.health.started();
        self.start_watchdog()?;
        service_manager::ready();
        tracing::info!(
            writer = OrOff(addresses.writer).to_string(),
            reader = OrOff(addresses.reader).to_string(),
            manager = OrOff(addresses.manager).to_string(),
            metrics = OrOff(addresses.metrics).to_string(),
            shards = self.shards.len(),
            data = %self.handles.tree.layout.data().display(),
            "ready to serve"
        );
        Ok(Started::Running)
    }

    fn serve_metrics(&self, bound: Bound) -> anyhow::Result<()> {
        let listener = bound.listen().context("the metrics port")?;
        let cells: Vec<_> = self.shards.iter().map(|shard| shard.metrics.clone()).collect();
        let page = Page::new(Sources {
            shards: cells.clone(),
            host: self.handles.metrics.clone(),
            jobs: self.handles.shared.clone(),
            health: self.handles.health.clone(),
            layout: self.handles.tree.layout.clone(),
            role: match self.settings.role {
                Role::All => "writer and indexes",
                Role::Writer => "writer",
                Role::Indexes => "indexes",
            },
            started: Instant::now(),
        });
        let exporter = Exporter {
            host: self.handles.metrics.clone(),
            background: self.handles.shared.clone(),
            shards: cells.into(),
            health: self.handles.health.clone(),
        };
        let placement = self.handles.placement.clone();
        let tls = self.settings.tls.of("metrics").map(PortTls::config);
        let names = Names::new(&self.settings.metrics_names);
        metrics::serve(listener, tls, exporter, page, names, move || placement.pin_other())?;
        Ok(())
    }

    /// Everything of the writer but its port.
    fn start_writer(&mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<Started> {
        let settings = self.settings;
        let append = machine::choose_append(settings.append, settings.sync, &self.handles.tree)?;
        self.append = Some(append.mode);
        let (to_raw_log, from_shards) = unbounded_channel();
        let segments = Segments {
            tree: self.handles.tree.clone(),
            limits: settings.limits.clone(),
            append: append.mode,
            shards: self.shards.clone(),
            from_shards,
            events: self.handles.events.clone(),
            metrics: self.handles.metrics.clone(),
            health: self.handles.health.clone(),
            appends: self.appends.clone(),
            reported: Reported::default(),
        };
        let raw_log = RawLog {
            tree: self.handles.tree.clone(),
            limits: settings.limits.clone(),
            segments,
            metrics: self.handles.metrics.clone(),
            background: self.handles.shared.clone(),
            indexes: indexes_of(&self.handles.tree),
            signal: self.handles.signal.clone(),
            beat: self.handles.beat(Thread::RawLog),
        };
        self.spawn(Thread::RawLog, move || raw_log.run())?;
        let Some(Step::Recovered(sequencer)) = await_step(heard)? else { return Ok(Started::Asked) };
        let raw_log = ToRawLog { sequencer: Arc::new(sequencer), events: to_raw_log };
        shards::start(&self.shards, settings, append, &raw_log, &self.handles)?;
        self.threads.extend(self.shards.iter().map(|shard| Thread::Shard(shard.id)));
        for shard in &self.shards {
            let metrics = shard.metrics.clone();
            let name = Thread::Shard(shard.id).to_string();
            self.handles.health.heartbeats().watch_count(name, move || metrics.turns.get());
        }
        let Some(Step::Stocked) = await_step(heard)? else { return Ok(Started::Asked) };
        if !settings.role.indexes() {
            self.start_lag()?;
        }
        Ok(Started::Running)
    }

    fn start_lag(&mut self) -> anyhow::Result<()> {
        let (handles, shared) = (self.handles.clone(), self.handles.shared.clone());
        self.handles
            .health
            .heartbeats()
            .watch_job(Thread::Lag.to_string(), move || shared.stats.dealing_turns.get());
        self.spawn(Thread::Lag, move || lag::run(&handles))
    }

    /// Lets connections in that write.
    fn open_writer(&mut self, bound: Bound) -> anyhow::Result<()> {
        // Shared, not duplicated: from here on nothing may fail for want of a descriptor.
        let listener = Arc::new(bound.listen().context("the writer's port")?);
        listener.set_nonblocking(true).context("the writer's port")?;
        self.acceptor = Some(listener.clone());
        let shard = |shard: &Shard| Destination::new(shard.mailbox.clone(), shard.metrics.clone());
        let (destinations, stopping) = (self.shards.iter().map(shard).collect(), self.stopping.clone());
        let connections_max = self.handles.limits.connections_max;
        let beat = self.handles.beat(Thread::Acceptor);
        let acceptor = Acceptor::new(listener, destinations, connections_max, stopping, beat);
        self.spawn(Thread::Acceptor, move || acceptor.run())
    }

    fn start_indexes(
        &mut self,
        reader: TcpListener,
        manager: TcpListener,
        key: TokenKey,
        heard: &Receiver<HostEvent>,
    ) -> anyhow::Result<Started> {
        self.start_background()?;
        let settings = self.settings;
        let listening = |listener, port| Listening {
            listener,
            tls: settings.tls.of(port).map(|tls| tls.config().clone()),
        };
        let indexes = IndexThread {
            handles: self.handles.clone(),
            reader: listening(reader, "reader"),
            manager: listening(manager, "manager"),
            bounds: Bounds { message_timeout: settings.message_timeout, idle_timeout: settings.idle_timeout },
            policy: policy(settings, self.append),
            key,
            beat: self.handles.beat(Thread::Indexes),
        };
        self.spawn(Thread::Indexes, move || indexes.run())?;
        for _thread in [Thread::Background, Thread::Indexes] {
            let Some(Step::Equipped) = await_step(heard)? else { return Ok(Started::Asked) };
        }
        Ok(Started::Running)
    }

    fn start_background(&mut self) -> anyhow::Result<()> {
        let settings = self.settings;
        let beat = Beat::default();
        for (name, turns) in LOOPS {
            let (shared, beat) = (self.handles.shared.clone(), beat.clone());
            self.handles
                .health
                .heartbeats()
                .watch_job(name, move || turns(&shared.stats).get().wrapping_add(beat.count()));
        }
        let background = BackgroundThread {
            handles: self.handles.clone(),
            config: jobs_config(settings),
            policy: policy(settings, self.append),
            beat,
        };
        self.spawn(Thread::Background, move || background.run())
    }

    fn start_space(&mut self) -> anyhow::Result<()> {
        let ballast = Ballast::new(Ballast::BYTES, self.settings.limits.free_bytes_min);
        let mut watch = SpaceWatch {
            tree: self.handles.tree.clone(),
            ballast,
            appends: self.appends.clone(),
            health: self.handles.health.clone(),
            metrics: self.handles.metrics.clone(),
            beat: self.handles.beat(Thread::Space),
            failing: false,
            no_ballast: None,
            indexes: self.settings.role.indexes(),
            home: Home::of(&self.handles.tree.layout).context("the raw log's folders can't be looked at")?,
        };
        watch.look();
        watch.count_files();
        let (stop, stopped) = channel();
        self.stop_space = Some(stop);
        self.spawn(Thread::Space, move || {
            watch.run(&stopped);
            Ok(())
        })
    }

    fn start_watchdog(&mut self) -> anyhow::Result<()> {
        let every = service_manager::watchdog_period();
        let (shards, stopping, placement) =
            (self.shards.clone(), self.stopping.clone(), self.handles.placement.clone());
        let heartbeats = self.handles.health.heartbeats().clone();
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                placement.pin_other();
                service_manager::watch(&shards, &heartbeats, every, &stopping);
            })
            .context("starting the thread watchdog")?;
        Ok(())
    }
}

/// Waits for the next step of the start; `None` if the host was asked to end meanwhile, which is safe at any moment.
fn await_step(heard: &Receiver<HostEvent>) -> anyhow::Result<Option<Step>> {
    match heard.recv().expect("the host itself holds a sender") {
        HostEvent::Step(step) => Ok(Some(step)),
        HostEvent::Signal(_) => Ok(None),
        HostEvent::Ended(_, Err(error)) => Err(error),
        HostEvent::Ended(thread, Ok(())) => {
            Err(anyhow!("the thread {thread} ended by itself, which is a bug"))
        }
        HostEvent::Fatal(what) => Err(anyhow!(what)),
    }
}

/// Whether dealing takes of the raw log's drive. What can't be found out is taken for one drive, which keeps more free.
fn indexes_of(tree: &Tree) -> Indexes {
    let device = |path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    let same = device(tree.layout.raw()) == device(tree.layout.data());
    if same { Indexes::Beside } else { Indexes::Elsewhere }
}
