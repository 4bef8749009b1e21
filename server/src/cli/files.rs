use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A raw segment, a segment of an index or its sidecar, a pack, an EPOCH.lost, or a file of deletions/.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Print the records too.
    #[arg(long)]
    pub(crate) records: bool,
    /// Of a pack, print what it holds of this index only.
    #[arg(long, value_name = "CODE", conflicts_with = "list")]
    pub(crate) index: Option<String>,
    /// Of a pack, print a line for each index in it.
    #[arg(long)]
    pub(crate) list: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The data directory.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// The folder that holds raw/, if it is not the data directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) raw_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DrainArgs {
    /// The data directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// The folder that holds raw/, if it is not the data directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) raw_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    /// The data directory.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    /// The folder that holds raw/, if it is not the data directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) raw_dir: Option<PathBuf>,
}
