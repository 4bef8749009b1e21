use std::path::PathBuf;

/// What is run.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[value(rename_all = "UPPER")]
pub(crate) enum Letter {
    /// One record of 1 KB a batch, sync interval.
    A,
    /// 100 records of 1 KB a batch: bandwidth.
    B,
    /// As A, sync always.
    C,
    /// Recovery of an index of 500 MB.
    D,
    /// Dealing with few and many indexes.
    E,
    /// A beside dealing and recoveries.
    F,
    /// What it costs.
    G,
    /// Appends beside the background, by I/O scheduler.
    H,
}

/// Runs the host and what users would pick instead through the same work, and compares.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Workloads to run.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "A,B,C,D,E,F,G,H", ignore_case = true)]
    pub(crate) workloads: Vec<Letter>,
    /// Rounds, each over all peers in turn.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long each run is measured; with less than 1 it is only tried out, and neither processors nor the drive are waited for
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// As --seconds, for the sustained runs of B and the memory of G.
    #[arg(long)]
    pub(crate) long_seconds: Option<f64>,
    /// Numbers of connections to measure with, of those that a workload has.
    #[arg(long, value_delimiter = ',')]
    pub(crate) connections: Vec<usize>,
    /// Peers to measure, of logtank, echo, redis, nats, fio; those not installed are left out.
    #[arg(long, value_delimiter = ',', default_value = "logtank,echo,redis,nats,fio")]
    pub(crate) peers: Vec<String>,
    /// A folder on the drive to be measured; each run has one of its own there, and removes it.
    #[arg(long, default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The host's program; by default the one beside this.
    #[arg(long)]
    pub(crate) logtank: Option<PathBuf>,
    /// The host built with the feature `leave-out`: G and F measure with it what parts of the host cost and do.
    #[arg(long)]
    pub(crate) measuring_build: Option<PathBuf>,
    /// One more argument for every host, as --host-argument=--append=direct; can be repeated.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) host_argument: Vec<String>,
    /// Sizes of the workloads, as a part of their full ones: for trying it out.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// Writes all results there.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Writes a page with charts there.
    #[arg(long)]
    pub(crate) html: Option<PathBuf>,
    /// Writes the tables there.
    #[arg(long)]
    pub(crate) markdown: Option<PathBuf>,
}

impl Arguments {
    /// Runs of less than a second measure nothing: that all of it works is tried out, and neither processors nor the drive
    /// are waited for.
    pub(crate) fn is_trial(&self) -> bool {
        self.seconds < 1.0
    }
}
