//! Watches the drives (their room is shown, that of the raw log is the raw log's thread's to give away) and the operator's
//! flags.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use logtank_engine::format::{Layout, RawName};
use logtank_engine::host::{Ballast, Cause, Todo};
use logtank_engine::io::Space;
use logtank_engine::roles::Refusal;
use logtank_os::probe::Mount;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::Tree;
use super::appends::Appends;
use crate::metrics::{Beat, Health, HostMetrics};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The raw log's files are counted each so many looks.
const COUNT_EVERY: u64 = 10;

/// What the thread needs.
#[derive(Debug)]
pub(super) struct SpaceWatch {
    pub(super) tree: Tree,
    pub(super) ballast: Ballast,
    pub(super) appends: Appends,
    pub(super) health: Health,
    pub(super) metrics: HostMetrics,
    pub(super) beat: Beat,
    /// The room can't be found out.
    pub(super) failing: bool,
    /// Why the ballast could not be made when that was last tried.
    pub(super) no_ballast: Option<String>,
    /// This process deals and serves recoveries.
    pub(super) indexes: bool,
    /// Where the raw log was at the start.
    pub(super) home: Home,
}

/// The raw log's folders, whatever their names lead to later.
#[derive(Debug)]
pub(super) struct Home(Vec<(PathBuf, Identity)>);

/// Device and inode.
type Identity = (u64, u64);

impl Home {
    /// Those that are there now.
    ///
    /// # Errors
    /// If one is not.
    pub(super) fn of(layout: &Layout) -> io::Result<Self> {
        let folders = [layout.raw().to_owned(), layout.raw_live()];
        let known = folders.into_iter().map(|folder| identity(&folder).map(|identity| (folder, identity)));
        known.collect::<io::Result<_>>().map(Self)
    }

    /// The first that is gone, or another one.
    fn moved(&self) -> Option<&Path> {
        // What can't be found out now is as it was.
        let moved = |folder: &Path, known| match identity(folder) {
            Ok(now) => now != known,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        self.0.iter().find(|(folder, known)| moved(folder, *known)).map(|(folder, _)| &**folder)
    }
}

fn identity(folder: &Path) -> io::Result<Identity> {
    let found = std::fs::metadata(folder)?;
    Ok((found.dev(), found.ino()))
}

/// What a filesystem has room for, and whether it takes anything.
#[derive(Clone, Copy, Debug)]
struct Found {
    room: Space,
    read_only: bool,
}

impl Found {
    fn look(path: &Path) -> io::Result<Self> {
        let found = statvfs(path)?;
        Ok(Self {
            room: Space {
                total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
                available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
                total_files: found.f_files,
                available_files: if found.f_files == 0 { u64::MAX } else { found.f_favail },
            },
            // What can't be told of the mount shows when something is written.
            read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY)
                || Mount::of(path).is_ok_and(|mount| mount.is_read_only),
        })
    }
}

impl SpaceWatch {
    /// Looks each second until `stop` is closed.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        for number in 1u64.. {
            match stop.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.beat.beat();
            self.look();
            if number.is_multiple_of(COUNT_EVERY) {
                self.count_files();
            }
        }
    }

    /// Looks at everything once: before a batch may come, and then now and then.
    pub(super) fn look(&mut self) {
        self.look_at_flags();
        let moved = self.home.moved().map(|folder| {
            format!(
                "{} is gone, or not the folder that it was at the start (renamed, replaced or unmounted), and the raw log is in the \
                 other one: put that back, or stop the host, put it back and start again",
                folder.display()
            )
        });
        self.appends.set(Cause::Moved, moved);
        match Found::look(self.tree.layout.raw()) {
            Ok(found) => {
                self.failing = false;
                self.look_at_raw(found);
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "the room on the raw log's drive can't be found out");
            }
            Err(_) => {}
        }
        if let Ok(found) = Found::look(self.tree.layout.data()) {
            self.metrics.filesystem("indexes", &found.room);
            let data = self.tree.layout.data().display();
            let why = (self.indexes && found.read_only).then(|| {
                format!("nothing is dealt: the filesystem of {data} is read-only; look at the drive (dmesg)")
            });
            if self.health.indexes_read_only(why.clone())
                && let Some(why) = why
            {
                tracing::error!("{why}");
            }
        }
    }

    /// Whether this host is the master, and safe to read. What can't be found out stays as it was.
    fn look_at_flags(&self) {
        let (master, safe) = (self.tree.layout.master(), self.tree.layout.safe_to_read());
        let (Ok(is_master), Ok(is_safe)) = (master.try_exists(), safe.try_exists()) else { return };
        self.metrics.master.set(is_master.into());
        self.metrics.safe_to_read.set(is_safe.into());
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
    pub(super) fn count_files(&self) {
        let names = |folder: &Path| -> io::Result<Vec<RawName>> {
            let names = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.file_name());
            Ok(names.filter_map(|name| RawName::parse(name.to_str()?)).collect())
        };
        let set = |kind, count| self.metrics.raw_files.of([kind]).set(count as u64);
        if let Ok(live) = names(&self.tree.layout.raw_live()) {
            let ready = live.iter().filter(|name| matches!(name, RawName::Ready(_))).count();
            set("ready", ready);
            set("live", live.len() - ready);
        }
        if let Ok(history) = names(&self.tree.layout.raw_history()) {
            set("history", history.len());
        }
    }

    fn look_at_raw(&mut self, Found { room, read_only }: Found) {
        self.metrics.filesystem("raw", &room);
        let drive = self.tree.layout.raw().display().to_string();
        let why =
            read_only.then(|| format!("the filesystem of {drive} is read-only; look at the drive (dmesg)"));
        self.appends.set(Cause::ReadOnly, why);
        if read_only {
            return;
        }
        self.keep_ballast(room.available_bytes);
    }

    fn keep_ballast(&mut self, free: u64) {
        let path = self.tree.layout.ballast();
        match self.ballast.todo(path.exists(), free) {
            Todo::Nothing => {}
            Todo::GiveUp => match std::fs::remove_file(&path) {
                Ok(()) => tracing::warn!(
                    "the drive is full: {} was given up to make room for renames",
                    path.display()
                ),
                Err(error) => tracing::error!(%error, "{} can't be given up", path.display()),
            },
            Todo::Make => match create(&path, self.ballast.bytes()) {
                Ok(()) => self.no_ballast = None,
                // Tried each second, and logged when it fails for another reason than before.
                Err(error) => {
                    let why = error.to_string();
                    if self.no_ballast.as_ref() != Some(&why) {
                        tracing::warn!(%error, "{} can't be made; trying again", path.display());
                        self.no_ballast = Some(why);
                    }
                }
            },
        }
    }
}

/// Written, not only allocated: filesystems that compress or copy on write would give nothing back.
fn create(path: &Path, bytes: u64) -> io::Result<()> {
    let temporary = logtank_engine::io::temporary_beside(path);
    let created = fill(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if created.is_err() {
        // As far as that is possible; it takes room, and there is none to spare.
        let _ = std::fs::remove_file(&temporary);
    }
    created
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut noise = vec![0; 1 << 20];
    logtank_os::random::fill(&mut noise);
    for _ in 0..bytes >> 20 {
        file.write_all(&noise)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_another_one_under_the_same_name_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path(), None);
        let (raw, live, away) = (layout.raw().to_owned(), layout.raw_live(), folder.path().join("away"));
        let moves = |from: &Path, to: &Path| std::fs::rename(from, to).expect("it is there");
        assert!(Home::of(&layout).is_err());
        std::fs::create_dir_all(&live).expect("a new folder");
        let home = Home::of(&layout).expect("both are there");
        assert_eq!(home.moved(), None);
        moves(&raw, &away);
        assert_eq!(home.moved(), Some(&*raw));
        std::fs::create_dir_all(&live).expect("a new folder");
        assert_eq!(home.moved(), Some(&*raw));
        std::fs::remove_dir_all(&raw).expect("it is there");
        moves(&away, &raw);
        assert_eq!(home.moved(), None, "put back");
        moves(&live, &away);
        assert_eq!(home.moved(), Some(&*live));
    }
}
