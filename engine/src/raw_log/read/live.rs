//! One consistent look at `raw/live/`: which epochs are there, in which files, and which are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::blocks::Blocks;
use super::lost::Lost;
use crate::error::{Corruption, Error, Result};
use crate::format::names::RawName;
use crate::format::raw::{BlockError, FRAMES_OFFSET, Header, SEAL_OFFSET, Seal, SealedBy};
use crate::ids::{Epoch, Position};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, EntryKind, Transfer};
use crate::mutant::bug;
use crate::store::Store;

/// Segments that were seen sealed, under the name that they keep. They don't change any more, so a look that is taken again
/// reads only the others: else a long folder could change faster than it is read, for ever.
type Sealed = BTreeMap<RawName, (Header, Seal)>;

/// What was in `raw/live/` at one moment.
#[derive(Clone, Debug, Default)]
pub struct LiveView {
    /// Everything that belongs to an epoch, in order.
    pub epochs: BTreeMap<Epoch, EpochView>,
    /// Segments that were made ready and are not in use.
    pub ready: Vec<ReadyFile>,
    /// Ready files of which nothing tells what they are.
    pub unusable: Vec<UnusableFile>,
}

/// What there is of one epoch.
#[derive(Clone, Debug)]
pub struct EpochView {
    /// The epoch.
    pub epoch: Epoch,
    /// Its segments, ordered by shard and part; a segment of the original comes first.
    pub segments: Vec<SegmentView>,
    /// What recovery reported lost, if the epoch has a .lost file.
    pub lost: Option<Result<Lost, Corruption>>,
}

/// One raw segment.
#[derive(Clone, Debug)]
pub struct SegmentView {
    /// Where it is.
    pub path: PathBuf,
    /// The name that it has or will get: [`RawName::Segment`] or [`RawName::Legacy`].
    pub name: RawName,
    /// What its first blocks say.
    pub state: SegmentState,
}

/// What the first blocks of a raw segment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// A segment of the original, which has none.
    Legacy {
        /// Length of the file.
        bytes: u64,
    },
    /// Being written, or left so by a crash.
    Open(Header),
    /// Complete.
    Sealed(Header, Seal),
    /// The seal block is neither empty nor valid: being written just now, or damaged.
    SealDamaged(Header, BlockError),
    /// The header block is not valid, though the file's name says that it was.
    HeaderDamaged(BlockError),
}

/// A segment made ready and not in use: its header block is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyFile {
    /// The N of `ready-N.rawlog`.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// A ready file that is neither unused nor in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableFile {
    /// The file as it would be if its header were zero.
    pub file: ReadyFile,
    /// What is wrong with the header block; [`BlockError::Empty`] if it is zero and the seal block is not.
    pub error: BlockError,
    /// Whether the seal block is zero: then nothing in the file was ever durable, and it may be reset.
    pub never_sealed: bool,
}

impl LiveView {
    /// Takes a look. The view is as `raw/live/` was at one moment. A missing folder is an empty one.
    ///
    /// # Errors
    /// The disk's, or [`Error::Unsettled`].
    pub async fn look<D: Disk>(store: &Store<D>, transfer: Transfer) -> Result<Self> {
        let folder = store.layout().raw_live();
        let mut sealed = Sealed::new();
        // What is not found was renamed or archived between listing and opening.
        store.settle(&folder, async || Self::try_look(store, &folder, transfer, &mut sealed).await).await
    }

    /// `None` if what was seen may not have been there at one moment.
    async fn try_look<D: Disk>(
        store: &Store<D>,
        folder: &Path,
        transfer: Transfer,
        sealed: &mut Sealed,
    ) -> Result<Option<Self>> {
        let names = raw_names(store, folder).await?;
        let mut view = Self::default();
        for name in &names {
            view.add(store.disk(), folder.join(name.to_string()), *name, transfer, sealed).await?;
        }
        // A file may have been taken into use after it was read, and files read after it may hold what came
        // later. If none was, then everything above was so at the moment before this.
        let unused = view.ready.iter().map(|file| (file, BlockError::Empty));
        let unusable = view.unusable.iter().map(|unusable| (&unusable.file, unusable.error));
        for (file, error) in unused.chain(unusable) {
            if read_blocks(store.disk(), &file.path, transfer).await?.0.header != Err(error) {
                return Ok(None);
            }
        }
        Ok((raw_names(store, folder).await? == names).then_some(view))
    }

    async fn add<D: Disk>(
        &mut self,
        disk: &D,
        path: PathBuf,
        name: RawName,
        transfer: Transfer,
        sealed: &mut Sealed,
    ) -> Result<()> {
        if let Some(state) = sealed.get(&name) {
            self.epoch(state.0.epoch).insert(path, name, SegmentState::Sealed(state.0, state.1));
            return Ok(());
        }
        match name {
            RawName::Legacy(epoch) => {
                let bytes = disk.open(&path, Transfer::Cached).await?.len().await?;
                self.epoch(epoch).insert(path, name, SegmentState::Legacy { bytes });
            }
            RawName::Lost(epoch) => {
                let lost = Lost::read(disk, &path, epoch).await?;
                self.epoch(epoch).lost = Some(lost);
            }
            RawName::Segment { epoch, .. } => {
                let (blocks, _) = read_blocks(disk, &path, transfer).await?;
                let state = match blocks.header {
                    Ok(header) if name_of(&header) != name => {
                        SegmentState::HeaderDamaged(BlockError::Field("epoch, shard or part"))
                    }
                    Ok(header) => sealed_or_not(header, blocks.seal),
                    Err(error) => SegmentState::HeaderDamaged(error),
                };
                if let SegmentState::Sealed(header, seal) = &state {
                    sealed.insert(name, (*header, *seal));
                }
                self.epoch(epoch).insert(path, name, state);
            }
            RawName::Ready(number) => {
                let (blocks, bytes) = read_blocks(disk, &path, transfer).await?;
                match blocks.header {
                    Ok(header) => {
                        let state = sealed_or_not(header, blocks.seal);
                        self.epoch(header.epoch).insert(path, name_of(&header), state);
                    }
                    Err(BlockError::Empty) if blocks.seal_is_zero => {
                        self.ready.push(ReadyFile { number, path, bytes });
                    }
                    Err(error) => {
                        let file = ReadyFile { number, path, bytes };
                        self.unusable.push(UnusableFile { file, error, never_sealed: blocks.seal_is_zero });
                    }
                }
            }
        }
        Ok(())
    }

    fn epoch(&mut self, epoch: Epoch) -> &mut EpochView {
        self.epochs.entry(epoch).or_insert_with(|| EpochView { epoch, segments: Vec::new(), lost: None })
    }

    /// Whether all that there will ever be of `epoch` is on disk. No for an epoch of which there is nothing.
    ///
    /// A segment of the original is complete when a later epoch is there, or when recovery left a .lost file.
    #[must_use]
    pub fn is_complete(&self, epoch: Epoch) -> bool {
        let followed = self.epochs.range((Bound::Excluded(epoch), Bound::Unbounded)).next().is_some();
        self.epochs.get(&epoch).is_some_and(|view| view.is_complete(followed))
    }

    /// The complete epochs from `from` on, in order, up to the first that is not complete, or before which one is
    /// missing: what may be dealt, if `from` is the checkpoint.
    pub fn complete_from(&self, from: Epoch) -> impl Iterator<Item = &EpochView> {
        let epochs = self.epochs.range(from..).map(|(_, view)| view);
        epochs
            .take_while(move |view| self.is_complete(view.epoch) && self.missing_before(view, from).is_none())
    }

    /// The epoch, not before `from`, that was closed before `view` and of which there is nothing: a shard took
    /// positions in it and has not come to write them, or it was lost whole.
    pub(in crate::raw_log) fn missing_before(&self, view: &EpochView, from: Epoch) -> Option<Epoch> {
        view.seals()
            .filter(|_| !bug!(MissingEpochIgnored))
            .filter_map(|seal| seal.previous)
            .find(|epoch| *epoch >= from && *epoch < view.epoch && !self.epochs.contains_key(epoch))
    }

    /// Epochs, not before `from`, of which nothing is there though a whole segment follows on them: nothing of them is on
    /// its way any more once nobody writes.
    pub(in crate::raw_log) fn missing(&self, from: Epoch) -> BTreeSet<Epoch> {
        let sealed = self.epochs.values().flat_map(|epoch| &epoch.segments).filter_map(|segment| {
            match &segment.state {
                SegmentState::Sealed(header, seal) => Some((header, seal)),
                SegmentState::Legacy { .. }
                | SegmentState::Open(_)
                | SegmentState::SealDamaged(..)
                | SegmentState::HeaderDamaged(_) => None,
            }
        });
        let mut missing: BTreeSet<Epoch> = sealed.flat_map(|(header, seal)| followed(header, seal)).collect();
        missing.retain(|epoch| *epoch >= from && !self.epochs.contains_key(epoch));
        missing
    }

    /// Takes out the segments of the original at the end of the log in which nothing was ever written: its writer
    /// makes one ahead of the first record, and a drained tree has one. Returns their files.
    pub(in crate::raw_log) fn take_empty_end(&mut self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        while let Some(last) = self.epochs.last_entry() {
            let view = last.get();
            let [segment] = &view.segments[..] else { break };
            if view.lost.is_some() || segment.state != (SegmentState::Legacy { bytes: 0 }) {
                break;
            }
            files.push(last.remove().segments.remove(0).path);
        }
        files
    }

    /// The greatest epoch of which there is anything.
    #[must_use]
    pub fn greatest_epoch(&self) -> Option<Epoch> {
        self.epochs.last_key_value().map(|(epoch, _)| *epoch)
    }
}

impl SegmentState {
    /// Bytes of its records, as they stand in it; 0 as long as it is not sealed.
    #[must_use]
    pub const fn record_bytes(&self) -> u64 {
        match self {
            Self::Legacy { bytes } => *bytes,
            Self::Sealed(_, seal) => seal.end - FRAMES_OFFSET,
            Self::Open(_) | Self::SealDamaged(..) | Self::HeaderDamaged(_) => 0,
        }
    }

    /// Length of the file, as it was made.
    #[must_use]
    pub const fn file_bytes(&self) -> u64 {
        match self {
            Self::Legacy { bytes } => *bytes,
            Self::Sealed(header, _) | Self::Open(header) | Self::SealDamaged(header, _) => header.file_bytes,
            Self::HeaderDamaged(_) => 0,
        }
    }
}

impl SegmentView {
    /// Where the segment may be: where it was seen, and under its name, which a ready file may get at any time.
    pub(in crate::raw_log) fn places(&self) -> [PathBuf; 2] {
        [self.path.clone(), self.path.with_file_name(self.name.to_string())]
    }

    /// Whether this is a path of the segment, before or after it got its name.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let name = || path.file_name().and_then(|name| name.to_str()).and_then(RawName::parse);
        self.path == path || name() == Some(self.name)
    }
}

impl EpochView {
    fn insert(&mut self, path: PathBuf, name: RawName, state: SegmentState) {
        let at = self.segments.partition_point(|segment| segment.name <= name);
        self.segments.insert(at, SegmentView { path, name, state });
    }

    /// Whether no position of this epoch will be handed out any more, whatever is still on its way to disk.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lost.is_some() || self.seals().any(|seal| seal.epoch_records.is_some() || by_recovery(seal))
    }

    /// How many records the epoch has over all shards, if a seal tells.
    #[must_use]
    pub fn records_by_seal(&self) -> Option<u32> {
        self.seals().filter_map(|seal| seal.epoch_records).max()
    }

    /// What is wrong where the segments, all sealed by their writers, have more records than the epoch handed out positions:
    /// it never becomes complete. Fewer is no damage: a shard may have yet to write what it took positions for.
    #[must_use]
    pub fn surplus(&self) -> Option<Corruption> {
        let all = self.records_by_seal()?;
        if self.lost.is_some() || self.seals().any(by_recovery) || self.seals().count() < self.segments.len()
        {
            return None;
        }
        // Two files of one segment are another fault, and hold the same.
        if self.segments.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return None;
        }
        let records: u64 = self.seals().map(|seal| seal.records).sum();
        let path = self.segments.first()?.path.clone();
        let what = format!(
            "the segments of epoch {} hold {records} records, its seals tell of {all}: frames have positions twice; `logtank repair` \
             keeps the files and names what is in doubt",
            self.epoch
        );
        (records > u64::from(all)).then_some(Corruption { path, offset: SEAL_OFFSET, what })
    }

    /// What is missing where the segments, all sealed by their writers, have fewer records than the epoch handed out
    /// positions. While a host runs, a shard may be about to write them; else the next start writes down which they are.
    pub(in crate::raw_log) fn shortage(&self) -> Option<Corruption> {
        let all = self.records_by_seal()?;
        let at_rest = self.lost.is_none() && self.seals().count() == self.segments.len();
        let records: u64 = self.seals().map(|seal| seal.records).sum();
        if !at_rest || self.seals().any(by_recovery) || records >= u64::from(all) {
            return None;
        }
        let what = format!(
            "the segments of epoch {} hold {records} records, its seals tell of {all}: {} are missing, unless a shard of a running host is \
             about to write them; the next start writes down which",
            self.epoch,
            u64::from(all) - records
        );
        Some(Corruption { path: self.segments.first()?.path.clone(), offset: SEAL_OFFSET, what })
    }

    fn seals(&self) -> impl Iterator<Item = &Seal> {
        self.segments.iter().filter_map(|segment| match &segment.state {
            SegmentState::Sealed(_, seal) => Some(seal),
            SegmentState::Legacy { .. }
            | SegmentState::Open(_)
            | SegmentState::SealDamaged(..)
            | SegmentState::HeaderDamaged(_) => None,
        })
    }

    /// Whether recovery reported this position lost: what can still be read there does not count. Where what it reported can't
    /// be read, nothing is known to be lost.
    pub(crate) fn reports_lost(&self, position: Position) -> bool {
        let Some(Ok(lost)) = &self.lost else { return false };
        let within = |(first, end): &(u32, u32)| (*first..*end).contains(&position.ordinal());
        position.epoch() == self.epoch && lost.gaps.iter().any(within)
    }

    fn is_complete(&self, followed: bool) -> bool {
        let (mut records, mut proven) = (0, self.lost.is_some());
        for segment in &self.segments {
            match &segment.state {
                SegmentState::Legacy { .. } => proven |= followed,
                SegmentState::Sealed(_, seal) => {
                    records += seal.records;
                    // Recovery writes down what is missing before it seals.
                    proven |= by_recovery(seal);
                }
                SegmentState::Open(_) | SegmentState::SealDamaged(..) => return false,
                // Nothing more will come of it; reading the epoch will report it.
                SegmentState::HeaderDamaged(_) => proven = true,
            }
        }
        proven || bug!(EpochHalfSealed) || self.records_by_seal().is_some_and(|all| u64::from(all) == records)
    }
}

/// The epochs that a sealed segment says there were before it.
pub(in crate::raw_log) fn followed(header: &Header, seal: &Seal) -> impl Iterator<Item = Epoch> + use<> {
    // One that recovery emptied may follow on what a power cut took with it.
    let frame = header.follows.filter(|_| seal.records > 0).map(Position::epoch);
    let own = header.epoch;
    frame.into_iter().chain(seal.previous).filter(move |epoch| *epoch < own && !bug!(MissingEpochIgnored))
}

/// Whether recovery sealed it, and not its writer.
pub(in crate::raw_log) const fn by_recovery(seal: &Seal) -> bool {
    match seal.sealed_by {
        SealedBy::Recovery => true,
        SealedBy::Writer => false,
    }
}

fn sealed_or_not(header: Header, seal: Result<Seal, BlockError>) -> SegmentState {
    match seal {
        Ok(seal) => SegmentState::Sealed(header, seal),
        Err(BlockError::Empty) => SegmentState::Open(header),
        Err(error) => SegmentState::SealDamaged(header, error),
    }
}

/// The name of the segment that has this header.
#[must_use]
pub(crate) fn name_of(header: &Header) -> RawName {
    RawName::Segment { epoch: header.epoch, shard: header.shard, part: header.part }
}

/// The raw files in a folder, in order; a missing folder has none.
pub(in crate::raw_log) async fn raw_names<D: Disk>(store: &Store<D>, folder: &Path) -> Result<Vec<RawName>> {
    let entries = store.list(folder).await?;
    let files = entries.iter().filter(|entry| entry.kind == EntryKind::File);
    Ok(files.filter_map(|entry| RawName::parse(&entry.name)).collect())
}

/// The first two blocks of a file, and its length.
pub(in crate::raw_log) async fn read_blocks<D: Disk>(
    disk: &D,
    path: &Path,
    transfer: Transfer,
) -> Result<(Blocks, u64), Error> {
    blocks_of(&disk.open(path, transfer).await?).await
}

/// The first two blocks of an open file, and its length.
pub(in crate::raw_log) async fn blocks_of(file: &impl DiskFile) -> Result<(Blocks, u64), Error> {
    let (result, buffer) = file.read_at(AlignedBuf::with_capacity(FRAMES_OFFSET as usize), 0).await;
    result?;
    Ok((Blocks::decode(&buffer), file.len().await?))
}

#[cfg(test)]
mod tests;
