//! What the texts of the settings say, checked one by one and against each other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use logtank_engine::limits::{Limits, SHARDS_MAX};

use super::layers::Layers;
use super::problems::Problems;
use super::tls::Tls;
use super::units;

/// Which parts of a host run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Both.
    All,
    /// Only what receives batches and appends them.
    Writer,
    /// Only what deals, merges, cleans and serves recoveries.
    Indexes,
}

impl Role {
    /// Whether it receives batches.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::All | Self::Writer)
    }
    /// Whether it owns the indexes.
    pub(crate) const fn indexes(self) -> bool {
        matches!(self, Self::All | Self::Indexes)
    }
}

/// When what was acknowledged is safe from a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// At the latest after this long.
    Interval(Duration),
    /// Before the reply.
    Always,
}

/// How raw segments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Append {
    /// As a probe of the drive finds better.
    Auto,
    /// Through the page cache.
    Buffered,
    /// Past it.
    Direct,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// What a host runs with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    /// Folder that holds raw/; `None` = the data directory.
    pub(crate) raw_dir: Option<PathBuf>,
    pub(crate) history_max_age: Option<Duration>,
    pub(crate) history_max_bytes: Option<u64>,
    pub(crate) writer_addr: SocketAddr,
    pub(crate) reader_addr: SocketAddr,
    pub(crate) manager_addr: SocketAddr,
    pub(crate) metrics_addr: Option<SocketAddr>,
    /// Names that the status page is shown for.
    pub(crate) metrics_names: Vec<String>,
    pub(crate) tls: Tls,
    pub(crate) message_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) sync: Sync,
    pub(crate) append: Append,
    pub(crate) epoch_max_age: Duration,
    pub(crate) role: Role,
    /// `None` = one less than there are processors, at least one.
    pub(crate) shards: Option<u16>,
    pub(crate) busy_poll: Duration,
    pub(crate) unread_before_clean: Duration,
    /// Bytes a second.
    pub(crate) background_rate_min: u64,
    pub(crate) append_slow_after: Duration,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: tracing::Level,
    pub(crate) limits: Limits,
    /// What is allowed, and yet should be known.
    pub(crate) warnings: Vec<String>,
}

/// Reads one setting after the other, and goes on after a bad one so that all are reported.
pub(super) struct Check<'l> {
    pub(super) layers: &'l Layers,
    pub(super) problems: Problems,
}

impl Check<'_> {
    pub(super) fn get<T>(
        &mut self,
        name: &str,
        stand_in: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let layered = self.layers.get(name);
        match parse(layered.text.as_deref().unwrap_or_default()) {
            Ok(value) => value,
            Err(error) => {
                self.problems.add(&layered.origin, format_args!("{name}: {error}"));
                stand_in
            }
        }
    }

    fn bytes(&mut self, name: &str) -> u64 {
        self.get(name, 0, units::bytes)
    }

    fn size(&mut self, name: &str) -> usize {
        self.get(name, 0, |text| units::bytes(text)?.try_into().map_err(|_| "is out of range".to_owned()))
    }

    fn duration(&mut self, name: &str) -> Duration {
        self.get(name, Duration::ZERO, units::duration)
    }

    fn between(&mut self, name: &str, least: Duration, most: Duration) -> Duration {
        self.get(name, least, |text| {
            let value = units::duration(text)?;
            let bounds = || (humantime::format_duration(least), humantime::format_duration(most));
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                Err(format!("`{text}` must be {} to {}", bounds().0, bounds().1))
            }
        })
    }

    /// A path that need not be set.
    pub(super) fn optional_path(&mut self, name: &str) -> Option<PathBuf> {
        self.layers.get(name).text.is_some().then(|| self.path(name))
    }

    fn names(&mut self, name: &str) -> Vec<String> {
        if self.layers.get(name).text.is_none() {
            return Vec::new();
        }
        self.get(name, Vec::new(), |text| text.split(',').map(units::host_name).collect())
    }

    fn path(&mut self, name: &str) -> PathBuf {
        self.get(name, PathBuf::new(), |text| {
            if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.into()) }
        })
    }

    fn address(&mut self, name: &str) -> SocketAddr {
        self.get(name, SocketAddr::from(([127, 0, 0, 1], 0)), units::address)
    }

    fn limits(&mut self) -> Limits {
        let before = self.problems.0.len();
        let limits = Limits {
            message_bytes_max: self.size("message_bytes_max"),
            record_bytes_max: self.size("record_bytes_max"),
            batch_records_max: self.get("batch_records_max", 1, units::number),
            connections_max: self.get("connections_max", 1, units::number),
            unsynced_bytes_max: self.size("unsynced_bytes_max"),
            in_flight_bytes_max: self.size("in_flight_bytes_max"),
            free_bytes_min: self.bytes("free_bytes_min"),
            job_bytes_max: self.size("job_bytes_max"),
            open_files_max: self.get("open_files_max", 16, units::number),
            ..Limits::default()
        };
        // Relations between values that could not be read would only confuse.
        if self.problems.0.len() == before
            && let Err(error) = limits.validate()
        {
            self.problems.add("limits", error);
        }
        limits
    }
}

impl Settings {
    /// Checks every setting.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn validate(layers: &Layers) -> Result<Self, Problems> {
        let mut check = Check { layers, problems: Problems::default() };
        let interval = check.between("sync_interval", Duration::from_millis(10), Duration::from_secs(3600));
        let sync = [("interval", Sync::Interval(interval)), ("always", Sync::Always)];
        let append = [("auto", Append::Auto), ("buffered", Append::Buffered), ("direct", Append::Direct)];
        let role = [("all", Role::All), ("writer", Role::Writer), ("indexes", Role::Indexes)];
        let format = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let raw_dir = check.optional_path("raw_dir");
        let mut settings = Self {
            data: check.path("data"),
            raw_dir,
            history_max_age: check
                .get("history_max_age", None, |text| units::or_word(text, "unlimited", units::duration)),
            history_max_bytes: check
                .get("history_max_bytes", None, |text| units::or_word(text, "unlimited", units::bytes)),
            writer_addr: check.address("writer_addr"),
            reader_addr: check.address("reader_addr"),
            manager_addr: check.address("manager_addr"),
            metrics_addr: check.get("metrics_addr", None, |text| units::or_word(text, "off", units::address)),
            metrics_names: check.names("metrics_names"),
            tls: Tls::check(&mut check),
            message_timeout: check.between(
                "message_timeout",
                Duration::from_millis(100),
                Duration::from_secs(3600),
            ),
            idle_timeout: check
                .get("idle_timeout", None, |text| units::or_word(text, "unlimited", units::duration)),
            sync: check.get("sync", Sync::Always, |text| units::word(text, &sync)),
            append: check.get("append", Append::Auto, |text| units::word(text, &append)),
            epoch_max_age: check.between(
                "epoch_max_age",
                Duration::from_millis(10),
                Duration::from_secs(86_400),
            ),
            role: check.get("role", Role::All, |text| units::word(text, &role)),
            shards: check.get("shards", None, |text| units::or_word(text, "auto", shards)),
            busy_poll: check.between("busy_poll", Duration::ZERO, Duration::from_millis(10)),
            unread_before_clean: check.duration("unread_before_clean"),
            background_rate_min: check.get("background_rate_min", RATE_BYTES_MIN, rate),
            append_slow_after: check.between(
                "append_slow_after",
                Duration::from_micros(1),
                Duration::from_secs(1),
            ),
            log_format: check.get("log_format", LogFormat::Text, |text| units::word(text, &format)),
            log_level: check.get("log_level", tracing::Level::INFO, level),
            limits: check.limits(),
            warnings: layers.warnings().to_vec(),
        };
        settings.check_addresses(&mut check);
        settings.warnings.extend(settings.tls.exposure().map(str::to_owned));
        settings.warnings.extend(settings.tls.warning(std::time::SystemTime::now()));
        check.problems.or(settings)
    }

    /// The listeners that this role opens, with the names of their settings.
    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        let mut listeners = Vec::new();
        if self.role.writes() {
            listeners.push(("writer_addr", self.writer_addr));
        }
        if self.role.indexes() {
            listeners.push(("reader_addr", self.reader_addr));
            listeners.push(("manager_addr", self.manager_addr));
        }
        listeners.extend(self.metrics_addr.map(|address| ("metrics_addr", address)));
        listeners
    }

    fn check_addresses(&mut self, check: &mut Check<'_>) {
        let allowed = check.get("allow_plain_network", false, units::flag);
        let listeners = self.listeners();
        for (number, (name, address)) in listeners.iter().enumerate() {
            let origin = &check.layers.get(name).origin;
            if let Some((other, _)) = listeners[..number].iter().find(|(_, a)| a == address && a.port() != 0)
            {
                check
                    .problems
                    .add(origin, format_args!("{name}: {address} is also {other}; give it another port"));
            }
            if address.ip().is_loopback() {
                continue;
            }
            match (self.tls.of(name), allowed) {
                (Some(tls), _) if tls.wants_clients_certificates() => {}
                (Some(_), _) => self.warnings.push(format!(
                    "{name} {address} can be reached from other machines, and takes whoever comes: it is encrypted, but \
                     there is no authentication. Give --tls-client-ca, or let a firewall admit only the hosts that \
                     need it"
                )),
                (None, true) => self.warnings.push(format!(
                    "{name} {address} can be reached from other machines, and there is neither encryption nor \
                     authentication: whoever reaches it can read, write and delete every index. Let a firewall \
                     admit only the hosts that need it, or give --tls-cert, --tls-key and --tls-client-ca"
                )),
                (None, false) => check.problems.add(
                    origin,
                    format_args!(
                        "{name}: {address} can be reached from other machines, without encryption or \
                         authentication; use a loopback address, encrypt with --tls-cert and --tls-key, or say \
                         --allow-plain-network if a firewall protects it"
                    ),
                ),
            }
        }
    }
}

/// Background work must go on under any load; a drive that moves more a second needs no bound.
const RATE_BYTES_MIN: u64 = 1 << 20;
const RATE_BYTES_MAX: u64 = 1 << 30;

fn level(text: &str) -> Result<tracing::Level, String> {
    use tracing::Level;
    let words = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    units::word(text, &words)
}

fn rate(text: &str) -> Result<u64, String> {
    let bytes = units::bytes(text)?;
    if (RATE_BYTES_MIN..=RATE_BYTES_MAX).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("`{text}` must be 1 MiB to 1 GiB"))
    }
}

fn shards(text: &str) -> Result<u16, String> {
    let number = units::number::<u16>(text)?;
    if (1..=SHARDS_MAX).contains(&number.into()) {
        Ok(number)
    } else {
        Err(format!("`{text}` must be 1 to {SHARDS_MAX}"))
    }
}
