use std::collections::{BTreeMap, BTreeSet};

use super::leftovers;
use super::outcome::{Dealt, Lag, Outcome};
use super::pass::Pass;
use super::split::Stretch;
use crate::deletion_log::DeletionLog;
use crate::deletions::Deletions;
use crate::error::{Corruption, Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::raw::SEAL_OFFSET;
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::{Disk, Transfer};
use crate::limits::{DIRECT_BLOCK_BYTES, Limits};
use crate::mutant::{bug, or_bug};
use crate::raw_log::files::archive::archive;
use crate::raw_log::read::live::{EpochView, LiveView, SegmentState, SegmentView};
use crate::raw_log::recover::dealt;
use crate::raw_log::recover::stray::{self, Past};
use crate::room::ledger::to_deal;
use crate::room::reserve::Reserve;
use crate::store::Store;

/// What an index takes of the drive beyond its records: the last blocks of its two files.
const TARGET_BYTES: u64 = 2 * DIRECT_BLOCK_BYTES as u64;

/// Deals epochs. Only one may exist for a data directory (dealer.lock).
#[derive(Debug)]
pub struct Dealer<D> {
    store: Store<D>,
    transfer: Transfer,
    bytes_max: usize,
    reserve: Reserve,
    // Of the last epoch dealt: each takes room of its own, however little it gets.
    targets: u64,
    state: State,
    lag: Lag,
    unsorted: BTreeMap<IndexCode, usize>,
    /// Epochs that are dealt and could not be moved to history, as written down; `None` before they were read.
    unarchived: Option<BTreeSet<Epoch>>,
    strays: Vec<Corruption>,
    // Of what followed on an epoch that was dealt.
    untold: Option<Error>,
}

/// What may be lying around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Whatever the process before left.
    Started,
    /// Segments of an epoch whose dealing an error ended.
    Failed,
    /// Nothing.
    Clean,
}

impl<D: Disk> Dealer<D> {
    /// A dealer that reads raw segments by `transfer`. Does nothing yet.
    #[must_use]
    pub fn new(store: Store<D>, limits: &Limits, transfer: Transfer) -> Self {
        let (bytes_max, reserve) = (limits.job_bytes_max, Reserve::new(limits.free_bytes_min));
        let (lag, unsorted, untold) = (Lag::default(), BTreeMap::new(), None);
        let (unarchived, strays) = (None, Vec::new());
        Self {
            store,
            transfer,
            bytes_max,
            reserve,
            targets: 0,
            state: State::Started,
            lag,
            unsorted,
            unarchived,
            strays,
            untold,
        }
    }

    /// How many unsorted segments indexes had when the first epoch was dealt, before it: the dealer has looked
    /// into all their folders then. Empty before that, and the second time.
    pub fn take_unsorted(&mut self) -> BTreeMap<IndexCode, usize> {
        std::mem::take(&mut self.unsorted)
    }

    /// Epochs from before the checkpoint that [`Self::deal_next`] last saw in `raw/live/` and that nothing proves to be
    /// dealt, each with its first file. They stay there.
    #[must_use]
    pub fn strays(&self) -> &[Corruption] {
        &self.strays
    }

    /// What waited to be dealt when [`Self::deal_next`] last looked (what it then dealt included).
    #[must_use]
    pub const fn lag(&self) -> Lag {
        self.lag
    }

    /// Looks what waits to be dealt, and deals nothing: for a host that may not. Returns the epoch that keeps others waiting
    /// because it is not complete, if there is one.
    ///
    /// # Errors
    /// The disk's.
    pub async fn look(&mut self) -> Result<Option<Epoch>> {
        let view = LiveView::look(&self.store, self.transfer).await?;
        let checkpoint = match Checkpoint::read(&self.store).await? {
            Checkpoint::At(next) => next,
            unknown => dealt::next_to_deal(&self.store, &unknown).await?,
        };
        self.lag = lag(&view, checkpoint, self.targets);
        let may_be_dealt = view.complete_from(checkpoint).next().is_some();
        Ok(self.lag.oldest.filter(|_| !may_be_dealt))
    }

    /// Deals the oldest complete epoch: publishes what each index gets of it, moves the checkpoint past it,
    /// then moves its raw files to history, each step durable before the next. May end at any await: the
    /// next call, in this process or another, finishes or repeats it with the same result.
    ///
    /// # Errors
    /// The disk's; nothing of the epoch counts as dealt then. What moving an epoch's files to history met is told by
    /// the call after the one that dealt it.
    pub async fn deal_next(&mut self, deletions: &DeletionLog) -> Result<Outcome> {
        self.deal_next_telling(deletions, &|_| {}).await
    }

    /// As [`Self::deal_next`]; `looked` is given what waits as soon as it is known, since dealing may then take long.
    ///
    /// # Errors
    /// As [`Self::deal_next`].
    pub async fn deal_next_telling(
        &mut self,
        deletions: &DeletionLog,
        looked: &dyn Fn(Lag),
    ) -> Result<Outcome> {
        if let Some(error) = self.untold.take() {
            return Err(error);
        }
        if self.state != State::Clean {
            // A name that is visible, the checkpoint's above all, may not be durable: whoever made it may have
            // ended before it was. Moving raw segments to history because of it would lose them.
            self.store.disk().sync_filesystem(self.store.layout().data()).await?;
            self.store.disk().sync_filesystem(self.store.layout().raw()).await?;
        }
        if self.state == State::Started {
            dealt::repair(&self.store).await?;
        }
        let view = LiveView::look(&self.store, self.transfer).await?;
        let checkpoint = Checkpoint::read(&self.store).await?.next()?;
        self.lag = lag(&view, checkpoint, self.targets);
        looked(self.lag);
        self.archive_past(&view, checkpoint).await?;
        let Some(epoch) = view.complete_from(checkpoint).next() else {
            return Ok(never_complete(&view, checkpoint).unwrap_or(Outcome::Nothing));
        };
        if self.state != State::Clean {
            let unsorted = leftovers::remove(&self.store, &view, checkpoint).await?;
            if self.state == State::Started {
                self.unsorted = unsorted;
            }
        }
        // No epoch has more indexes than records.
        let targets =
            epoch.records_by_seal().map_or(self.targets, |records| self.targets.min(records.into()));
        let needed = needed_bytes(epoch, targets);
        let room = self.store.disk().space(self.store.layout().data()).await?;
        if !self.reserve.admits(&room, needed) {
            return Ok(Outcome::NoRoom { epoch: epoch.epoch, needed, available: room.available_bytes });
        }
        // An error (or being dropped) from here on leaves something to remove before the next attempt.
        self.state = State::Failed;
        or_bug!(CheckpointFirst, (), self.pass(epoch.epoch).await?);
        // After the epoch was seen to be complete: a deletion that is not in here lies behind it.
        let deletions = deletions.snapshot(&self.store).await?;
        let mut dealt = match self.split(epoch, &deletions).await {
            Err(Error::Corrupt(corruption)) => {
                return Ok(Outcome::Blocked { epoch: epoch.epoch, corruption });
            }
            result => result?,
        };
        self.pass(epoch.epoch).await?;
        self.state = State::Clean;
        self.lag.sealed_needed_bytes -= sealed_needed_bytes(epoch, self.targets);
        self.targets = dealt.indexes.len() as u64;
        self.lag.epoch_needed_bytes = self.targets * TARGET_BYTES;
        // If something of it stays, the next call meets it, before it deals anything.
        match archive(&self.store, &view, &[epoch.epoch].into()).await {
            Ok(archived) => dealt.archived_files = archived.files,
            // What was dealt is dealt, and is to be counted, and sorted.
            Err(error) => self.untold = Some(error),
        }
        Ok(Outcome::Dealt(dealt))
    }

    /// The checkpoint passes the epoch: it counts as dealt.
    async fn pass(&self, epoch: Epoch) -> Result<()> {
        Checkpoint::advance(&self.store, epoch.next()).await
    }

    /// Moves what is dealt and still in `raw/live/`, and tells it from what never was.
    async fn archive_past(&mut self, view: &LiveView, checkpoint: Epoch) -> Result<()> {
        if self.unarchived.is_none() {
            self.unarchived = Some(stray::read_unarchived(&self.store).await?);
        }
        let known = self.unarchived.clone().unwrap_or_default();
        self.strays.clear();
        if known.is_empty() && view.epochs.range(..checkpoint).next().is_none() {
            return Ok(());
        }
        let past = Past::look(&self.store, view, checkpoint, &known).await?;
        self.strays = past.strays;
        let archived = archive(&self.store, view, &past.dealt).await?;
        if archived.unfinished != known {
            // Before the checkpoint moves on, which until then proves it of the last one.
            self.unarchived = None;
            stray::write_unarchived(&self.store, &archived.unfinished).await?;
            self.unarchived = Some(archived.unfinished);
        }
        Ok(())
    }

    async fn split(&self, epoch: &EpochView, deletions: &Deletions) -> Result<Dealt> {
        let mut dealt = Dealt::of(epoch.epoch);
        dealt.unreadable_deletions.extend(deletions.unreadable().map(|(_, corruption)| corruption.clone()));
        let mut open = vec![Stretch::all()];
        while let Some(stretch) = open.pop() {
            let pass = Pass {
                store: &self.store,
                transfer: self.transfer,
                epoch,
                deletions,
                bytes_max: self.bytes_max,
            };
            open.extend(pass.run(stretch, &mut dealt).await?);
            dealt.passes += 1;
        }
        dealt.indexes.sort_by(|a, b| a.code.cmp(&b.code));
        Ok(dealt)
    }
}

/// An epoch that is closed waits, also one that is not complete, and so one that never will be.
fn lag(view: &LiveView, checkpoint: Epoch, targets: u64) -> Lag {
    let mut lag = Lag { checkpoint, epoch_needed_bytes: targets * TARGET_BYTES, ..Lag::default() };
    let greatest = view.greatest_epoch();
    for epoch in view.epochs.range(checkpoint..).map(|(_, epoch)| epoch) {
        lag.needed_bytes += needed_bytes(epoch, 0);
        lag.sealed_needed_bytes += sealed_needed_bytes(epoch, targets);
        let is_open = greatest == Some(epoch.epoch) && !epoch.is_closed();
        if (is_open || bug!(IncompleteUncounted)) && !view.is_complete(epoch.epoch) {
            continue;
        }
        lag.epochs += 1;
        lag.oldest.get_or_insert(epoch.epoch);
        for segment in &epoch.segments {
            lag.bytes += segment.state.record_bytes();
            lag.file_bytes += segment.state.file_bytes();
        }
    }
    lag
}

/// What dealing an epoch may take at most, about: its records, their checksums, and of each file the last block.
fn needed_bytes(epoch: &EpochView, targets: u64) -> u64 {
    let length = |segment: &SegmentView| match &segment.state {
        SegmentState::Open(header) | SegmentState::SealDamaged(header, _) => header.file_bytes,
        state => state.record_bytes(),
    };
    let bytes: u64 = epoch.segments.iter().map(length).sum();
    to_deal(bytes) + targets * TARGET_BYTES
}

/// The same of what is sealed of it: what is not, its writer knows better (see [`crate::room::ledger`]).
fn sealed_needed_bytes(epoch: &EpochView, targets: u64) -> u64 {
    let bytes = epoch.segments.iter().map(|segment| segment.state.record_bytes()).sum();
    to_deal(bytes)
        + epoch.records_by_seal().map_or(targets, |records| targets.min(records.into())) * TARGET_BYTES
}

/// Why the first epoch will never be complete, if that can be seen: nobody would say so otherwise.
fn never_complete(view: &LiveView, checkpoint: Epoch) -> Option<Outcome> {
    let (_, epoch) = view.epochs.range(checkpoint..).next()?;
    match epoch.surplus() {
        Some(corruption) => Some(Outcome::Blocked { epoch: epoch.epoch, corruption }),
        None => damaged_seal(view, epoch),
    }
}

/// An epoch with a damaged seal would never be complete, and nobody would say why. If a later epoch is there,
/// the seal is more likely damaged than just being written; the caller tells by asking again.
fn damaged_seal(view: &LiveView, epoch: &EpochView) -> Option<Outcome> {
    if view.greatest_epoch() == Some(epoch.epoch) {
        return None;
    }
    epoch.segments.iter().find_map(|segment| match &segment.state {
        SegmentState::SealDamaged(_, error) => {
            let what = format!("the seal: {error}");
            let corruption = Corruption { path: segment.path.clone(), offset: SEAL_OFFSET, what };
            Some(Outcome::Blocked { epoch: epoch.epoch, corruption })
        }
        SegmentState::Legacy { .. }
        | SegmentState::Open(_)
        | SegmentState::Sealed(..)
        | SegmentState::HeaderDamaged(_) => None,
    })
}
