//! Reading the next page of a recovery while the last one is being sent.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::recovery_read::{Ahead, Reader};
use logtank_os::clock::SystemClock;
use logtank_os::disk::UringDisk;
use logtank_wire::page::LogPageToken;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::places::Place;

/// A peer that has not asked for its next page by then is busy with the last one: the memory goes to others.
const PATIENCE: Duration = Duration::from_secs(1);

/// A page that is being read, or was, before it is asked for.
pub(super) struct ReadingAhead {
    task: JoinHandle<Option<(Ahead, Place)>>,
    wanted: Rc<Notify>,
}

impl ReadingAhead {
    /// Begins to read the page at `token`. `memory` is leave to hold it.
    pub(super) fn begin(
        reader: Rc<Reader<UringDisk, SystemClock>>,
        index_code: &[u8],
        token: LogPageToken,
        memory: Place,
    ) -> Self {
        let (index_code, wanted) = (index_code.to_vec(), Rc::new(Notify::new()));
        let notified = wanted.clone();
        let task = tokio_uring::spawn(async move {
            let ahead = reader.read_ahead(&index_code, &token).await?;
            tokio::select! {
                biased;
                // First: the place of a peer that asks for the page in the same moment would count as shed while it is sent.
                () = memory.is_needed() => return None,
                outcome = timeout(PATIENCE, notified.notified()) => outcome.ok()?,
            }
            memory.wanted();
            Some((ahead, memory))
        });
        Self { task, wanted }
    }

    /// What was read, if anything was and the peer did not take too long.
    pub(super) async fn finished(self) -> Option<(Ahead, Place)> {
        self.wanted.notify_one();
        match self.task.await {
            Ok(read) => read,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
