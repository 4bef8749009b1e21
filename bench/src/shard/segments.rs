//! Makes segments ready, and uses the files of sealed ones again.

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use logtank_engine::io::ShardEvent;
use logtank_os::mailbox::Mail;
use rustix::fs::{Advice, OFlags, fadvise};

use super::kind::Kind;

const PIECE_BYTES: usize = 1 << 20;

pub(super) struct Segments {
    dir: PathBuf,
    file_bytes: u64,
    direct: bool,
    /// Segments are new files without blocks each time.
    unwritten: bool,
    next: u64,
    free: Vec<u64>,
}

impl Segments {
    pub(super) fn new(dir: &Path, kind: &Kind, file_bytes: u64) -> Self {
        let (dir, direct) = (dir.to_owned(), kind.is_direct());
        Self { dir, file_bytes, direct, unwritten: kind.unwritten, next: 0, free: Vec::new() }
    }

    /// Gives the shard what it asks for, until it ends.
    pub(super) fn serve(
        &mut self,
        events: &Receiver<ShardEvent>,
        give: impl Fn(Mail) -> Result<()>,
    ) -> Result<()> {
        for event in events {
            match event {
                ShardEvent::NeedReady { missing } => {
                    for _ in 0..missing {
                        give(self.make()?)?;
                    }
                }
                ShardEvent::Sealed { ready, .. } if !self.unwritten => self.free.push(ready),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn make(&mut self) -> Result<Mail> {
        let ready = match self.free.pop() {
            Some(ready) => ready,
            None => self.fill()?,
        };
        let flags = if self.direct { OFlags::DIRECT } else { OFlags::empty() };
        let flags = i32::try_from(flags.bits()).expect("flags of open fit");
        let file = OpenOptions::new().write(true).custom_flags(flags).open(self.path(ready))?;
        let salt = logtank_os::random::salt();
        Ok(Mail::Ready { ready, file: file.into(), file_bytes: self.file_bytes, salt })
    }

    fn fill(&mut self) -> Result<u64> {
        let ready = self.next;
        self.next += 1;
        let file = File::create(self.path(ready))?;
        let zeros = vec![0; PIECE_BYTES];
        let written = if self.unwritten { 0 } else { self.file_bytes };
        file.set_len(self.file_bytes)?;
        for at in (0..written).step_by(PIECE_BYTES) {
            let piece = usize::try_from(written - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
            file.write_all_at(&zeros[..piece], at)?;
        }
        file.sync_all()?;
        // As the host's own: a direct write that meets a cached page is handed to a worker thread.
        fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(ready)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("ready-{number}.rawlog"))
    }
}
