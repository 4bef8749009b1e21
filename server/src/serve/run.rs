//! The order in which a host starts and ends.

use std::backtrace::BacktraceStatus;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use logtank_engine::host::raw_room::Indexes;
use logtank_engine::jobs::shared::Shared;
use logtank_engine::jobs::stats::{JobStats, Turns};
use logtank_engine::raw_log::write::config::AppendMode;
use logtank_engine::recovery_read::token::TokenKey;
use logtank_os::append_signal::AppendSignal;
use logtank_os::mailbox::Mail;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use super::acceptor::{Acceptor, Destination};
use super::addresses::{self, Addresses, OrOff};
use super::appends::Appends;
use super::background::{BackgroundThread, jobs_config, policy};
use super::events::{Events, HostEvent, Step};
use super::index_ports::{Bounds, IndexThread};
use super::lag::LagThread;
use super::listeners::{self, Bound};
use super::machine::{self, check_machine};
use super::placement::Placement;
use super::raw_log::RawLog;
use super::segments::{Reported, Segments};
use super::service_manager;
use super::shards::{self, Shard};
use super::shortage::{self, Needs};
use super::space::SpaceWatch;
use super::{Tree, signals};
use crate::causes::causes;
use crate::config::{PortTls, Role, Settings, Tls};
use crate::exit;
use crate::metrics::{self, Beat, Exporter, Health, HostMetrics, Names, Page, Sources};
use crate::stderr::{self, remark};

/// For the threads to end after the shards have: what they are in the middle of is finished or undone by the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

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
    abort_on_panic();
    check_machine()?;
    machine::raise_limits(settings)?;
    let (events, heard) = Events::new();
    let metrics = HostMetrics::default();
    note_certificate(&settings.tls, &metrics);
    let read_again = {
        let (tls, metrics) = (settings.tls.clone(), metrics.clone());
        move || read_again(&tls, &metrics)
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

fn note_certificate(tls: &Tls, metrics: &HostMetrics) {
    if let Some(at) = tls.expiry() {
        metrics.certificate_expiry.set(at);
    }
}

/// Takes a certificate that was replaced into use.
fn read_again(tls: &Tls, metrics: &HostMetrics) {
    match tls.read_again() {
        None => tracing::warn!(
            "SIGHUP has no effect: settings are read at the start; restart the host to have them read"
        ),
        Some(Err(error)) => {
            tracing::error!("SIGHUP: the host goes on with the certificate that it has: {error}");
        }
        Some(Ok(())) => {
            note_certificate(tls, metrics);
            tracing::info!(
                "SIGHUP: new connections see the certificate as it is now in its file; other settings are read at the start only"
            );
            if let Some(warning) = tls.warning(SystemTime::now()) {
                tracing::warn!("{warning}");
            }
        }
    }
}

/// A thread that met a bug must not leave the others running on what it left behind. What it says of itself is a line
/// of the log: nobody waits for whoever does not read it.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let backtrace = std::backtrace::Backtrace::capture();
        remark!("thread '{}' {panic}", thread.name().unwrap_or("without a name"));
        if backtrace.status() == BacktraceStatus::Captured {
            remark!("{backtrace}");
        }
        stderr::finish();
        std::process::abort();
    }));
}

/// What came of starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    Running,
    /// Asked to end before it was ready.
    Asked,
}

/// A host and what its threads share.
struct Host<'s> {
    settings: &'s Settings,
    tree: Tree,
    events: Events,
    placement: Placement,
    health: Health,
    metrics: HostMetrics,
    shared: Arc<Shared>,
    signal: Arc<AppendSignal>,
    /// How frames are written; `None` as long as it is not known, or for a process without shards.
    append: Option<AppendMode>,
    shards: Vec<Shard>,
    stopping: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    stop_space: Option<Sender<()>>,
    appends: Appends,
    acceptor: Option<Arc<TcpListener>>,
    /// Names of threads that run.
    threads: Vec<&'static str>,
}

impl<'s> Host<'s> {
    fn new(settings: &'s Settings, tree: Tree, events: Events, metrics: HostMetrics) -> anyhow::Result<Self> {
        let placement =
            Placement::choose(settings.shards).context("finding out which processors there are")?;
        let shards = if settings.role.writes() { shards::create(&placement)? } else { Vec::new() };
        machine::check_memory(settings, shards.len());
        let (health, shared) = (Health::starting(), Arc::new(Shared::new()));
        metrics.syncs(settings.sync);
        let mailboxes = shards.iter().map(|shard| shard.mailbox.clone()).collect();
        Ok(Self {
            appends: Appends::new(mailboxes, health.clone(), metrics.clone()),
            signal: AppendSignal::new(shards.len()),
            append: None,
            settings,
            tree,
            events,
            placement,
            health,
            metrics,
            shared,
            shards,
            stopping: Arc::default(),
            stop: watch::Sender::new(false),
            stop_space: None,
            acceptor: None,
            threads: Vec::new(),
        })
    }

    fn spawn(
        &mut self,
        name: &'static str,
        body: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<()> {
        self.events
            .spawn(name, name.to_owned(), body)
            .with_context(|| format!("starting the thread {name}"))?;
        self.threads.push(name);
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
        self.health.started();
        self.start_watchdog()?;
        service_manager::ready();
        tracing::info!(
            writer = OrOff(addresses.writer).to_string(),
            reader = OrOff(addresses.reader).to_string(),
            manager = OrOff(addresses.manager).to_string(),
            metrics = OrOff(addresses.metrics).to_string(),
            shards = self.shards.len(),
            data = %self.tree.layout.data().display(),
            "ready to serve"
        );
        Ok(Started::Running)
    }

    fn serve_metrics(&self, bound: Bound) -> anyhow::Result<()> {
        let listener = bound.listen().context("the metrics port")?;
        let cells: Vec<_> = self.shards.iter().map(|shard| shard.metrics.clone()).collect();
        let page = Page::new(Sources {
            shards: cells.clone(),
            host: self.metrics.clone(),
            jobs: self.shared.clone(),
            health: self.health.clone(),
            layout: self.tree.layout.clone(),
            role: match self.settings.role {
                Role::All => "writer and indexes",
                Role::Writer => "writer",
                Role::Indexes => "indexes",
            },
            started: Instant::now(),
        });
        let exporter = Exporter {
            host: self.metrics.clone(),
            background: self.shared.clone(),
            shards: cells.into(),
            health: self.health.clone(),
        };
        let placement = self.placement.clone();
        let tls = self.settings.tls.of("metrics").map(PortTls::config);
        let names = Names::new(&self.settings.metrics_names);
        metrics::serve(listener, tls, exporter, page, names, move || placement.pin_other())?;
        Ok(())
    }

    /// Everything of the writer but its port.
    fn start_writer(&mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<Started> {
        let settings = self.settings;
        let append = machine::choose_append(settings.append, settings.sync, &self.tree)?;
        self.append = Some(append.mode);
        let (to_raw_log, from_shards) = unbounded_channel();
        let segments = Segments {
            tree: self.tree.clone(),
            limits: settings.limits.clone(),
            append: append.mode,
            shards: self.shards.clone(),
            from_shards,
            events: self.events.clone(),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            appends: self.appends.clone(),
            reported: Reported::default(),
        };
        let raw_log = RawLog {
            tree: self.tree.clone(),
            limits: settings.limits.clone(),
            segments,
            metrics: self.metrics.clone(),
            background: self.shared.clone(),
            indexes: indexes_of(&self.tree),
            signal: self.signal.clone(),
            beat: self.beat("raw-log"),
        };
        let placement = self.placement.clone();
        self.spawn("raw-log", move || {
            placement.pin_serving();
            raw_log.run()
        })?;
        let Some(Step::Recovered(sequencer)) = await_step(heard)? else { return Ok(Started::Asked) };
        let sequencer = Arc::new(sequencer);
        shards::start(
            &self.shards,
            settings,
            &self.placement,
            append,
            &sequencer,
            &self.shared.ledger,
            &self.signal,
            &to_raw_log,
            &self.events,
        )?;
        self.threads.extend(self.shards.iter().map(|_| "shard"));
        for shard in &self.shards {
            let metrics = shard.metrics.clone();
            self.health.heartbeats().watch_count(format!("shard-{}", shard.id), move || metrics.turns.get());
        }
        let Some(Step::Stocked) = await_step(heard)? else { return Ok(Started::Asked) };
        if !settings.role.indexes() {
            self.start_lag()?;
        }
        Ok(Started::Running)
    }

    fn start_lag(&mut self) -> anyhow::Result<()> {
        let lag = LagThread {
            tree: self.tree.clone(),
            limits: self.settings.limits.clone(),
            shared: self.shared.clone(),
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.subscribe(),
        };
        let (shared, placement) = (self.shared.clone(), self.placement.clone());
        self.health.heartbeats().watch_job("lag", move || shared.stats.dealing_turns.get());
        self.spawn("lag", move || {
            placement.pin_other();
            lag.run()
        })
    }

    /// Signs of life of a thread that is about to start.
    fn beat(&self, name: &str) -> Beat {
        let beat = Beat::default();
        self.health.heartbeats().watch(name, &beat);
        beat
    }

    /// Lets connections in that write.
    fn open_writer(&mut self, bound: Bound) -> anyhow::Result<()> {
        let settings = self.settings;
        // Shared, not duplicated: from here on nothing may fail for want of a descriptor.
        let listener = Arc::new(bound.listen().context("the writer's port")?);
        listener.set_nonblocking(true).context("the writer's port")?;
        self.acceptor = Some(listener.clone());
        let shard = |shard: &Shard| Destination::new(shard.mailbox.clone(), shard.metrics.clone());
        let (destinations, stopping) = (self.shards.iter().map(shard).collect(), self.stopping.clone());
        let (connections_max, placement) = (settings.limits.connections_max, self.placement.clone());
        let beat = self.beat("acceptor");
        let acceptor = Acceptor::new(listener, destinations, connections_max, stopping, beat);
        self.spawn("acceptor", move || {
            placement.pin_other();
            acceptor.run()
        })
    }

    fn start_indexes(
        &mut self,
        reader: TcpListener,
        manager: TcpListener,
        key: TokenKey,
        heard: &Receiver<HostEvent>,
    ) -> anyhow::Result<Started> {
        let settings = self.settings;
        let beat = Beat::default();
        let background = BackgroundThread {
            tree: self.tree.clone(),
            limits: settings.limits.clone(),
            config: jobs_config(settings),
            policy: policy(settings, self.append),
            shared: self.shared.clone(),
            signal: self.signal.clone(),
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            events: self.events.clone(),
            beat: beat.clone(),
            stop: self.stop.subscribe(),
        };
        for (name, turns) in LOOPS {
            let (shared, beat) = (self.shared.clone(), beat.clone());
            self.health
                .heartbeats()
                .watch_job(name, move || turns(&shared.stats).get().wrapping_add(beat.count()));
        }
        let placement = self.placement.clone();
        self.spawn("background", move || {
            placement.pin_background();
            background.run()
        })?;
        let indexes = IndexThread {
            tree: self.tree.clone(),
            reader,
            manager,
            bounds: Bounds {
                message_timeout: settings.message_timeout,
                idle_timeout: settings.idle_timeout,
                connections_max: settings.limits.connections_max,
            },
            reader_tls: settings.tls.of("reader").map(|tls| tls.config().clone()),
            manager_tls: settings.tls.of("manager").map(|tls| tls.config().clone()),
            memory_bytes_max: settings.limits.in_flight_bytes_max,
            policy: policy(settings, self.append),
            key,
            shared: self.shared.clone(),
            signal: self.signal.clone(),
            metrics: self.metrics.clone(),
            events: self.events.clone(),
            beat: self.beat("indexes"),
            stop: self.stop.subscribe(),
        };
        let placement = self.placement.clone();
        self.spawn("indexes", move || {
            placement.pin_serving();
            indexes.run()
        })?;
        for _thread in ["background", "indexes"] {
            let Some(Step::Equipped) = await_step(heard)? else { return Ok(Started::Asked) };
        }
        Ok(Started::Running)
    }

    fn start_space(&mut self) -> anyhow::Result<()> {
        let free_bytes_min = self.settings.limits.free_bytes_min;
        let mut watch = SpaceWatch {
            tree: self.tree.clone(),
            free_bytes_min,
            appends: self.appends.clone(),
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            beat: self.beat("space"),
            failing: false,
            no_ballast: None,
            indexes: self.settings.role.indexes(),
        };
        watch.look();
        watch.count_files();
        let (stop, stopped) = channel();
        self.stop_space = Some(stop);
        let placement = self.placement.clone();
        self.spawn("space", move || {
            placement.pin_other();
            watch.run(&stopped);
            Ok(())
        })
    }

    fn start_watchdog(&mut self) -> anyhow::Result<()> {
        let every = service_manager::watchdog_period();
        let (shards, stopping, placement) =
            (self.shards.clone(), self.stopping.clone(), self.placement.clone());
        let heartbeats = self.health.heartbeats().clone();
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                placement.pin_other();
                service_manager::watch(&shards, &heartbeats, every, &stopping);
            })
            .context("starting the thread watchdog")?;
        Ok(())
    }

    /// Waits for a reason to end, and ends.
    fn serve(mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<ExitCode> {
        match heard.recv().expect("the host itself holds a sender") {
            HostEvent::Signal(signal) => {
                tracing::info!(signal, "asked to end: finishing what was received");
                self.health.stopping();
                service_manager::stopping();
                self.stop(heard)
            }
            HostEvent::Fatal(what) => Ok(self.give_up(&what)),
            HostEvent::Step(_) => unreachable!("the host has started"),
            HostEvent::Ended(name, Err(error)) => {
                let why = causes(&error);
                tracing::error!("the host can't go on without its thread {name}: {why}");
                self.health.failed(&format!("the thread {name} has failed: {why}"));
                Ok(exit_code(&error))
            }
            HostEvent::Ended(name, Ok(())) => {
                Err(anyhow!("the thread {name} ended by itself, which is a bug"))
            }
        }
    }

    /// The log can't be written any more. Nothing that was acknowledged is lost by ending now: it is with the kernel, or
    /// the drive took it, and the next start finds out which.
    fn give_up(&self, what: &str) -> ExitCode {
        self.health.failed(what);
        tracing::error!(
            "the raw log can't be written and nothing more is acknowledged: {what}. Look at the drive (dmesg, smartctl) \
             before starting the host again; recovery then says what is missing, if anything is"
        );
        exit::drive_failed()
    }

    /// Ends in the order of the data: connections, shards, the raw log's thread; the background may stop anywhere.
    fn stop(&mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<ExitCode> {
        self.stopping.store(true, Ordering::Release);
        if let Some(listener) = &self.acceptor {
            listeners::close(listener);
        }
        for shard in &self.shards {
            // Only connections can find a mailbox full.
            let _ = shard.mailbox.post(Mail::Shutdown);
        }
        self.stop.send_replace(true);
        self.shared.wake();
        self.stop_space = None;
        let mut deadline: Option<Instant> = None;
        while !self.threads.is_empty() {
            // Shards and what they need may take as long as the drive does.
            let writing = self.threads.iter().any(|name| matches!(*name, "shard" | "raw-log"));
            if !writing && deadline.is_none() {
                deadline = Some(Instant::now() + STOP_PATIENCE);
            }
            let event = match deadline {
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => heard.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(HostEvent::Ended(name, outcome)) => {
                    let place = self.threads.iter().position(|thread| *thread == name);
                    self.threads.swap_remove(place.expect("it was started"));
                    if let Err(error) = outcome {
                        tracing::error!("the thread {name} ended with an error: {}", causes(&error));
                        if matches!(name, "shard" | "raw-log") {
                            return Ok(exit_code(&error));
                        }
                    }
                }
                Ok(HostEvent::Fatal(what)) => return Ok(self.give_up(&what)),
                Ok(HostEvent::Signal(_) | HostEvent::Step(_)) => {}
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!(threads = ?self.threads, "still busy; the next start goes on where they are");
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the host itself holds a sender"),
            }
        }
        tracing::info!("stopped: everything received is on the drive");
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits for the next step of the start; `None` if the host was asked to end meanwhile, which is safe at any moment.
fn await_step(heard: &Receiver<HostEvent>) -> anyhow::Result<Option<Step>> {
    match heard.recv().expect("the host itself holds a sender") {
        HostEvent::Step(step) => Ok(Some(step)),
        HostEvent::Signal(_) => Ok(None),
        HostEvent::Ended(_, Err(error)) => Err(error),
        HostEvent::Ended(name, Ok(())) => Err(anyhow!("the thread {name} ended by itself, which is a bug")),
        HostEvent::Fatal(what) => Err(anyhow!(what)),
    }
}

/// Whether dealing takes of the raw log's drive. What can't be found out is taken for one drive, which keeps more free.
fn indexes_of(tree: &Tree) -> Indexes {
    let device = |path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    let same = device(tree.layout.raw()) == device(tree.layout.data());
    if same { Indexes::Beside } else { Indexes::Elsewhere }
}

/// A failing drive is told apart from everything else.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let drive =
        error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(is_drive_failure));
    if drive { exit::drive_failed() } else { ExitCode::FAILURE }
}

/// EIO, EROFS and their like: what starting again does not mend.
fn is_drive_failure(error: &std::io::Error) -> bool {
    const EIO: i32 = 5;
    const EROFS: i32 = 30;
    const EUCLEAN: i32 = 117;
    const EREMOTEIO: i32 = 121;
    matches!(error.raw_os_error(), Some(EIO | EROFS | EUCLEAN | EREMOTEIO))
}
