//! A host to which records are written, and a log of what it was told, to know the right answer by.

use crate::store::Store;
use crate::testing::store;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use logtank_wire::record::{RecordView, RecordWriter};

use super::support::{State, apply, code, layout};
use crate::deletion_log::DeletionLog;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::{RawName, SegmentKind};
use crate::ids::{IndexCode, Position};
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, Transfer};
use crate::jobs::cleaner::{Deleted, Superseded};
use crate::jobs::config::JobsConfig;
use crate::jobs::dealer::Dealer;
use crate::limits::Limits;
use crate::testing::{MemDisk, RawEpoch, run};
use crate::time::{MonoNanos, Now};

pub(super) const SHARDS: usize = 2;

/// A writer and the jobs over one disk.
pub(super) struct World {
    pub(super) store: Store<MemDisk>,
    pub(super) deletions: Rc<DeletionLog>,
    shards: usize,
    open: RawEpoch,
    millis: u64,
    /// What was acknowledged, in order: position, index, record.
    written: Vec<(Position, String, Vec<u8>)>,
    /// Deletions that were acknowledged, in order, with the first position that each does not cover.
    deleted: Vec<(String, Position)>,
}

/// How much was acknowledged at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) records: usize,
    pub(super) deletions: usize,
}

/// One document change.
#[derive(Clone, Debug, Default)]
pub(super) struct Change<'a> {
    pub(super) docid: &'a str,
    pub(super) deleted: bool,
    pub(super) field: Option<&'a str>,
    pub(super) variable: Option<(i32, f64)>,
    pub(super) category: Option<(&'a str, &'a str)>,
}

impl Change<'_> {
    fn encode(&self, index: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = RecordWriter::begin(&mut bytes);
        if let Some(index) = index {
            writer.index_code(index.as_bytes());
        }
        writer.docid(self.docid.as_bytes());
        writer.deleted(self.deleted);
        if let Some(text) = self.field {
            writer.fields([(&b"text"[..], text.as_bytes())].into_iter());
        }
        if let Some(variable) = self.variable {
            writer.variables([variable].into_iter());
        }
        if let Some((key, value)) = self.category {
            writer.categories([(key.as_bytes(), value.as_bytes())].into_iter());
        }
        writer.finish();
        bytes
    }
}

impl World {
    pub(super) fn new(disk: &MemDisk) -> Self {
        Self::with_shards(disk, SHARDS)
    }

    pub(super) fn with_shards(disk: &MemDisk, shards: usize) -> Self {
        let layout = layout();
        run(disk.create_folder(&layout.raw_live())).unwrap();
        run(disk.create_folder(&layout.raw_history())).unwrap();
        run(disk.create_folder(&layout.indexes())).unwrap();
        let open = RawEpoch::new(1_000, shards);
        Self {
            store: store(disk, &layout),
            deletions: Rc::default(),
            shards,
            open,
            millis: 1_000,
            written: Vec::new(),
            deleted: Vec::new(),
        }
    }

    /// One batch, acknowledged when this returns.
    pub(super) fn write(&mut self, shard: usize, index: &str, changes: &[Change<'_>]) {
        let records: Vec<_> = changes.iter().map(|change| change.encode(Some(index))).collect();
        for (number, change) in (0..).zip(changes) {
            let position = self.open.next().advanced(number);
            self.written.push((position, index.to_owned(), change.encode(None)));
        }
        self.open.frame(shard, &records);
        self.open.put(&self.store, false);
    }

    /// One document with one text.
    pub(super) fn add(&mut self, shard: usize, index: &str, docid: &str, text: &str) {
        self.write(shard, index, &[Change { docid, field: Some(text), ..Change::default() }]);
    }

    /// Seals the open epoch and begins the next.
    pub(super) fn roll(&mut self) {
        if self.open.next().ordinal() > 0 {
            self.open.put(&self.store, true);
            self.next_epoch_unsealed();
        }
    }

    /// Begins the next epoch while the one before is still open.
    pub(super) fn next_epoch_unsealed(&mut self) {
        self.millis += 10;
        self.open = RawEpoch::new(self.millis, self.shards);
    }

    /// The name of a shard's segment of the open epoch.
    pub(super) fn live_name(&self, shard: usize) -> RawName {
        self.open.name(shard)
    }

    /// A deletion is acknowledged.
    pub(super) fn note_deletion(&mut self, index: &str, before: Position) {
        self.deleted.push((index.to_owned(), before));
    }

    /// How many records and deletions were acknowledged so far.
    pub(super) const fn acknowledged(&self) -> Acknowledged {
        Acknowledged { records: self.written.len(), deletions: self.deleted.len() }
    }

    /// The state of the index when these were acknowledged.
    pub(super) fn state_at(&self, index: &str, at: Acknowledged) -> State {
        let deletions = self.deleted[..at.deletions].iter().filter(|(of, _)| of == index);
        let begin = deletions.map(|(_, before)| *before).max().unwrap_or(Position::ZERO);
        let mut state = State::new();
        for (position, of, record) in &self.written[..at.records] {
            if of == index && *position >= begin {
                apply(&mut state, &RecordView::parse(record).unwrap().0);
            }
        }
        state
    }

    /// The state of the index now.
    pub(super) fn state(&self, index: &str) -> State {
        self.state_at(index, self.acknowledged())
    }

    pub(super) fn deal(&self) {
        run(deal(self.store.clone(), self.deletions.clone()));
    }

    pub(super) fn sort(&self, index: &str) {
        run(sort(self.store.clone(), self.deletions.clone(), code(index)));
    }

    pub(super) fn optimize(&self, index: &str) {
        run(optimize(self.store.clone(), self.deletions.clone(), code(index)));
    }

    pub(super) fn clean(&self, index: &str) {
        run(clean(self.store.clone(), self.deletions.clone(), code(index)));
    }

    pub(super) fn delete(&mut self, index: &str) {
        let before = run(self.deletions.delete(&self.store, &code(index))).unwrap();
        self.note_deletion(index, before);
    }

    /// The kinds of the index's segments, how many of each.
    pub(super) fn kinds(&self, index: &str) -> BTreeMap<SegmentKind, usize> {
        let mut kinds = BTreeMap::new();
        for file in self.store.disk().files() {
            let name = file.file_name().unwrap().to_str().unwrap();
            if let Some(name) = crate::format::names::SegmentName::parse(name)
                && file.starts_with(self.store.layout().index(&code(index)))
            {
                *kinds.entry(name.kind).or_default() += 1;
            }
        }
        kinds
    }
}

pub(super) async fn deal<D: Disk>(store: Store<D>, deletions: Rc<DeletionLog>) {
    let mut dealer = Dealer::new(store, &Limits::default(), Transfer::Cached);
    dealer.deal_next(&deletions).await.unwrap();
}

/// A job on an index may find that it was deleted under its hands.
fn finished<T>(result: crate::error::Result<T>) {
    assert!(result.as_ref().err().is_none_or(crate::error::Error::is_not_found), "{:?}", result.err());
}

pub(super) async fn sort<D: Disk>(store: Store<D>, deletions: Rc<DeletionLog>, code: IndexCode) {
    let checkpoint = Checkpoint::read(&store).await.unwrap().next().unwrap();
    let deletion = deletions.snapshot(&store).await.unwrap().position(&code);
    let limits = Limits::default();
    finished(IndexStore::new(&store, &code, Bounds { checkpoint, deletion }).sort(&limits).await);
}

pub(super) async fn optimize<D: Disk>(store: Store<D>, deletions: Rc<DeletionLog>, code: IndexCode) {
    let checkpoint = Checkpoint::read(&store).await.unwrap().next().unwrap();
    let deletion = deletions.snapshot(&store).await.unwrap().position(&code);
    let limits = Limits::default();
    finished(IndexStore::new(&store, &code, Bounds { checkpoint, deletion }).optimize(&limits, None).await);
}

/// What the cleaner does when nobody has read the index for long.
pub(super) async fn clean<D: Disk>(store: Store<D>, deletions: Rc<DeletionLog>, code: IndexCode) {
    let checkpoint = Checkpoint::read(&store).await.unwrap().next().unwrap();
    let deletion = deletions.snapshot(&store).await.unwrap().position(&code);
    let config = JobsConfig { unread_before_clean: Duration::ZERO, ..JobsConfig::default() };
    let mut superseded = Superseded::new(store.clone(), &config);
    finished(superseded.visit(&code, Bounds { checkpoint, deletion }, true, MonoNanos(1)).await);
    finished(Deleted::new(store).carry_out(&deletions, checkpoint, Now::default()).await);
}
