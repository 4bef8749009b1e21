//! Watches the room on the drives: refuses appends before the raw log's is full, and takes them again with hysteresis.
//! Watches the operator's flags as well.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bytesize::ByteSize;
use logtank_engine::format::names::RawName;
use logtank_engine::roles::Refusal;
use logtank_os::mailbox::{Mail, Mailbox};
use rustix::fs::statvfs;

use super::Tree;
use crate::metrics::{Health, HostMetrics};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The raw log's files are counted each so many looks.
const COUNT_EVERY: u64 = 10;
/// Files that a filesystem must have room for: dealing makes one for each index.
const FREE_FILES_MIN: u64 = 1024;
/// Of a small filesystem: this part of all the files that it can hold.
const FREE_FILES_PART: u64 = 8;
/// Length of `raw/ballast`: given up when the drive is full to the last block, so that renames and small files of
/// dealing and cleaning still find room.
const BALLAST_BYTES: u64 = 16 << 20;

/// What the thread needs.
#[derive(Debug)]
pub(super) struct SpaceWatch {
    pub(super) tree: Tree,
    pub(super) free_bytes_min: u64,
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) health: Health,
    pub(super) metrics: HostMetrics,
    /// This process deals and serves recoveries.
    pub(super) indexes: bool,
}

/// Whether appends are taken, by how much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Floor {
    bytes: u64,
    allowed: bool,
}

/// What a filesystem has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    bytes: u64,
    files: u64,
    /// Fewer free files than these are too few; 0 on a filesystem without a limit.
    files_min: u64,
}

impl Room {
    fn look(path: &Path) -> io::Result<Self> {
        let space = statvfs(path)?;
        Ok(Self {
            bytes: space.f_bavail.saturating_mul(space.f_frsize),
            files: space.f_favail,
            files_min: FREE_FILES_MIN.min(space.f_files / FREE_FILES_PART),
        })
    }
}

impl Floor {
    /// Refuses below the floor, allows again at twice as much.
    fn observe(&mut self, room: Room) -> bool {
        let times = if self.allowed { 1 } else { 2 };
        self.allowed = room.bytes >= self.bytes.saturating_mul(times)
            && room.files >= room.files_min.saturating_mul(times);
        self.allowed
    }
}

impl SpaceWatch {
    /// Looks once, then each second until `stop` is closed.
    pub(super) fn run(self, stop: &Receiver<()>) {
        let mut floor = Floor { bytes: self.free_bytes_min, allowed: true };
        let mut failing = false;
        self.metrics.appends_allowed(true);
        for number in 0u64.. {
            self.look_at_flags();
            if number.is_multiple_of(COUNT_EVERY) {
                self.count_files();
            }
            match Room::look(self.tree.layout.raw()) {
                Ok(room) => {
                    failing = false;
                    self.look(room, &mut floor);
                }
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "the room on the raw log's drive can't be found out; appends go on as before");
                }
                Err(_) => {}
            }
            if let Ok(room) = Room::look(self.tree.layout.data()) {
                self.metrics.free_bytes("indexes", room.bytes);
            }
            match stop.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Whether this host is the master, and safe to read. What can't be found out stays as it was.
    pub(super) fn look_at_flags(&self) {
        let (master, safe) = (self.tree.layout.master(), self.tree.layout.safe_to_read());
        let (Ok(is_master), Ok(is_safe)) = (master.try_exists(), safe.try_exists()) else { return };
        self.metrics.flags(is_master, is_safe);
        if !self.indexes {
            return;
        }
        let why = if !is_master {
            Some(format!("{}, and it deals nothing", Refusal::NotMaster(master)))
        } else if !is_safe {
            Some(Refusal::NotSafe(safe).to_string())
        } else {
            None
        };
        if self.health.role(why.clone()) {
            match why {
                Some(why) => tracing::warn!("recoveries are refused: {why}"),
                None => tracing::info!("recoveries are served: the host is the master and safe to read"),
            }
        }
    }

    /// How many files of each kind the raw log has. A folder that can't be read just now counts as it did.
    fn count_files(&self) {
        let names = |folder: &Path| -> io::Result<Vec<RawName>> {
            let names = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.file_name());
            Ok(names.filter_map(|name| RawName::parse(name.to_str()?)).collect())
        };
        let set = |kind, count| self.metrics.raw_files(kind, count);
        if let Ok(live) = names(&self.tree.layout.raw_live()) {
            let ready = live.iter().filter(|name| matches!(name, RawName::Ready(_))).count();
            set("ready", ready);
            set("live", live.len() - ready);
        }
        if let Ok(history) = names(&self.tree.layout.raw_history()) {
            set("history", history.len());
        }
    }

    fn look(&self, room: Room, floor: &mut Floor) {
        let free = room.bytes;
        self.metrics.free_bytes("raw", free);
        self.keep_ballast(free, floor.bytes);
        let before = floor.allowed;
        let allowed = floor.observe(room);
        if allowed == before {
            return;
        }
        self.metrics.appends_allowed(allowed);
        for mailbox in &self.mailboxes {
            // Only connections can find a mailbox full.
            let _ = mailbox.post(Mail::AppendsAllowed(allowed));
        }
        let scarce = room.bytes >= floor.bytes && room.files < room.files_min;
        let (free, floor) = (ByteSize(free), ByteSize(floor.bytes));
        let drive = self.tree.layout.raw().display();
        if allowed {
            tracing::info!(%free, "there is room on the drive of {drive} again: batches are taken");
            self.health.drive_full(None);
        } else {
            let why = if scarce {
                format!(
                    "batches are refused: the filesystem of {drive} has room for {} more files, fewer than {} (df -i); \
                     remove some",
                    room.files, room.files_min
                )
            } else {
                format!(
                    "batches are refused: the drive of {drive} has {free} free, less than free_bytes_min ({floor}); \
                     free some, or lower history_max_bytes"
                )
            };
            tracing::error!("{why}");
            self.health.drive_full(Some(why));
        }
    }

    /// There while there is room, gone when there is none.
    fn keep_ballast(&self, free: u64, floor: u64) {
        let path = self.tree.layout.ballast();
        let is_there = path.exists();
        if is_there && free < BALLAST_BYTES {
            match std::fs::remove_file(&path) {
                Ok(()) => tracing::warn!(
                    "the drive is full: {} was given up to make room for renames",
                    path.display()
                ),
                Err(error) => tracing::error!(%error, "{} can't be given up", path.display()),
            }
        } else if !is_there
            && free >= floor.saturating_mul(2).max(4 * BALLAST_BYTES)
            && let Err(error) = create(&path)
        {
            tracing::warn!(%error, "{} can't be made; trying again", path.display());
        }
    }
}

/// Written, not only allocated: filesystems that compress or copy on write would give nothing back.
fn create(path: &Path) -> io::Result<()> {
    let temporary = logtank_engine::io::disk::temporary_beside(path);
    let mut file = File::create(&temporary)?;
    let mut noise = vec![0; 1 << 20];
    logtank_os::random::fill(&mut noise);
    for _ in 0..BALLAST_BYTES >> 20 {
        file.write_all(&noise)?;
    }
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::{Floor, Room};

    #[test]
    fn appends_resume_at_twice_the_floor() {
        let mut floor = Floor { bytes: 100, allowed: true };
        let seen: Vec<bool> = [150, 100, 99, 100, 199, 200, 100]
            .map(|bytes| floor.observe(Room { bytes, files: 0, files_min: 0 }))
            .to_vec();
        assert_eq!(seen, [true, true, false, false, false, true, true]);
    }

    #[test]
    fn a_filesystem_that_holds_no_more_files_is_full() {
        let mut floor = Floor { bytes: 100, allowed: true };
        let seen: Vec<bool> = [7, 6, 5, 6, 11, 12, 6]
            .map(|files| floor.observe(Room { bytes: 1000, files, files_min: 6 }))
            .to_vec();
        assert_eq!(seen, [true, true, false, false, false, true, true]);
    }
}
