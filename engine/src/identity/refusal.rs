use std::fmt;
use std::path::{Path, PathBuf};

use super::mark::Identity;
use crate::error::Corruption;
use crate::ids::Epoch;

/// Why nothing may be done with a data directory and a raw/: what — why — what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Both have an identity, and not the same.
    Different {
        /// The data directory.
        data: (PathBuf, Identity),
        /// raw/
        raw: (PathBuf, Identity),
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// Only the data directory has one.
    RawUnknown {
        /// The data directory.
        data: (PathBuf, Identity),
        /// raw/
        raw: PathBuf,
        /// Whether raw/ holds segments.
        used: bool,
        /// Whether it lies outside the data directory.
        apart: bool,
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// Only raw/ has one.
    DataUnknown {
        /// The data directory.
        data: PathBuf,
        /// raw/
        raw: (PathBuf, Identity),
        /// Whether a host has used the data directory.
        used: bool,
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// Neither has one, and raw/ holds nothing though the data directory was in use.
    RawEmpty {
        /// The data directory.
        data: PathBuf,
        /// raw/
        raw: PathBuf,
        /// Whether it lies outside the data directory.
        apart: bool,
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// Neither has one, and the data directory has dealt nothing though raw/ holds what was dealt.
    DataEmpty {
        /// The data directory.
        data: PathBuf,
        /// raw/
        raw: PathBuf,
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// They belong together, but raw/history/ holds what a newer state of the data directory has done.
    DataOlder {
        /// The data directory.
        data: PathBuf,
        /// raw/
        raw: PathBuf,
        /// The first epoch of which this data directory lacks something.
        first: Epoch,
    },
    /// Both have the same, but what was received is not where it must be.
    LiveMissing {
        /// raw/live/
        live: PathBuf,
    },
    /// Both have the same, but what was dealt is not where it must be.
    IndexesMissing {
        /// indexes/
        indexes: PathBuf,
    },
    /// One can't be read.
    Unreadable {
        /// Which, and what is wrong with it.
        damage: Corruption,
        /// A file that holds the same, if the other folder has one.
        copy: Option<PathBuf>,
        /// The file by which an operator says that they belong together.
        accept: PathBuf,
    },
    /// There is no data directory.
    NoData {
        /// Where one was looked for.
        data: PathBuf,
    },
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Different { data, raw, accept } => write!(
                f,
                "{} and {} don't belong together — the data directory has the identity {}, the raw log {} — one of \
                 them is another host's, or an older one of this host: name the right folder (--data, --raw-dir), or \
                 mount the right drive there{}",
                data.0.display(),
                raw.0.display(),
                data.1,
                raw.1,
                Way(accept, Lost::Raw)
            ),
            Self::RawUnknown { data, raw, used, apart, accept } => write!(
                f,
                "{} is not the raw log of {} — the data directory has the identity {}, and there {} — {}{}",
                raw.display(),
                data.0.display(),
                data.1,
                if *used { "are segments without one" } else { "is none and no segment either" },
                Where { apart: *apart },
                Way(accept, Lost::Raw)
            ),
            Self::DataUnknown { data, raw, used, accept } => write!(
                f,
                "{} is not the data directory of {} — the raw log has the identity {}, the data directory {} — mount \
                 the drive that the data directory is on, or name the right folder (--data){}",
                data.display(),
                raw.0.display(),
                raw.1,
                if *used {
                    "none, so it is another one, or an old copy"
                } else {
                    "none, and nothing was dealt there"
                },
                Way(accept, Lost::Data)
            ),
            Self::RawEmpty { data, raw, apart, accept } => write!(
                f,
                "{} is not the raw log of {} — the data directory was in use, and there is no segment — {}{}",
                raw.display(),
                data.display(),
                Where { apart: *apart },
                Way(accept, Lost::Raw)
            ),
            Self::DataEmpty { data, raw, accept } => write!(
                f,
                "{} is not the data directory of {} — raw/history holds what was dealt, and nothing was dealt there \
                 — mount the drive that the data directory is on, or name the right folder (--data){}",
                data.display(),
                raw.display(),
                Way(accept, Lost::Data)
            ),
            Self::DataOlder { data, raw, first } => write!(
                f,
                "{} is an older copy — {}/history holds what was dealt or deleted from epoch {first} on, and this data \
                 directory does not know of it — put the newer data directory back; if it is lost, move every file of \
                 {1}/history whose name begins with {first} or a greater number to {1}/live, and all that is dealt and \
                 deleted again",
                data.display(),
                raw.display(),
            ),
            Self::LiveMissing { live } => write!(
                f,
                "{} is not there — what was received and not dealt yet is in it — put it back from where it was moved \
                 or copied to; if it is lost, or was empty and a copy left it out, create it (mkdir, with the owner of \
                 the folder above)",
                live.display()
            ),
            Self::IndexesMissing { indexes } => write!(
                f,
                "{} is not there, or a link that leads nowhere — what was dealt is in it — mount the drive that it is on, or put \
                 it back from where it was moved or copied to; if it was empty and a copy left it out, create it (mkdir, with the \
                 owner of the folder above)",
                indexes.display()
            ),
            Self::Unreadable { damage, copy, accept } => {
                write!(f, "{damage} — it says which folders belong together — ")?;
                match copy {
                    Some(copy) => {
                        let (copy, path) = (copy.display(), damage.path.display());
                        write!(f, "if they do, copy it from the other folder: cp {copy} {path}")
                    }
                    None => {
                        write!(f, "if {} and its raw log do, create {}", Parent(accept), accept.display())
                    }
                }
            }
            Self::NoData { data } => write!(
                f,
                "{} is no data directory — it holds nothing that a host puts there, and nothing was created — name \
                 the folder that --data of the host names",
                data.display()
            ),
        }
    }
}

/// Where a raw log is that is not where it should be.
struct Where {
    apart: bool,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.apart {
            "mount the raw log's drive, or name the right folder (--raw-dir)"
        } else {
            "name the folder that holds raw/ (--raw-dir), or mount its drive"
        })
    }
}

enum Lost {
    Raw,
    Data,
}

/// The way out for who knows better.
struct Way<'p>(&'p Path, Lost);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.1 {
            Lost::Raw => "Only if the raw log is lost for good, or you know that the two belong together",
            Lost::Data => {
                "Only if the data directory is lost for good, or you know that the two belong together"
            }
        };
        write!(f, ". {when}: create the empty file {}", self.0.display())?;
        f.write_str(match self.1 {
            Lost::Raw => "; acknowledged records that are only in the raw log are then missing",
            Lost::Data => "; what is in raw/history is not dealt again by itself (docs/operations.md, Backup and restore)",
        })
    }
}

struct Parent<'p>(&'p Path);

impl fmt::Display for Parent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::io::disk::parent(self.0).display())
    }
}
