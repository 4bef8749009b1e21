use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::io::disk::{DiskResult, Entry, Metadata, Space};
use crate::testing::MemFile;

/// Counts calls by name.
#[derive(Clone, Debug)]
struct Counting(MemDisk, Rc<RefCell<BTreeMap<&'static str, usize>>>);

impl Counting {
    fn count(&self, name: &'static str) {
        *self.1.borrow_mut().entry(name).or_default() += 1;
    }

    fn of(&self, name: &str) -> usize {
        self.1.borrow().get(name).copied().unwrap_or_default()
    }
}

impl Disk for Counting {
    type File = MemFile;

    async fn open(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        self.count("open");
        self.0.open(path, transfer).await
    }
    async fn open_write(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        self.count("open");
        self.0.open_write(path, transfer).await
    }
    async fn create(&self, path: &Path, transfer: Transfer) -> DiskResult<MemFile> {
        self.count("create");
        self.0.create(path, transfer).await
    }
    async fn create_folder(&self, path: &Path) -> DiskResult<()> {
        self.count("mkdir");
        self.0.create_folder(path).await
    }
    async fn list(&self, folder: &Path) -> DiskResult<Vec<Entry>> {
        self.count("list");
        self.0.list(folder).await
    }
    async fn metadata(&self, path: &Path) -> DiskResult<Option<Metadata>> {
        self.count("stat");
        self.0.metadata(path).await
    }
    async fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.count("rename");
        self.0.rename(from, to).await
    }
    async fn remove_file(&self, path: &Path) -> DiskResult<()> {
        self.count("unlink");
        self.0.remove_file(path).await
    }
    async fn remove_folder(&self, path: &Path) -> DiskResult<()> {
        self.0.remove_folder(path).await
    }
    async fn sync_folder(&self, folder: &Path) -> DiskResult<()> {
        self.count("fsync folder");
        self.0.sync_folder(folder).await
    }
    async fn sync_filesystem(&self, path: &Path) -> DiskResult<()> {
        self.count("syncfs");
        self.0.sync_filesystem(path).await
    }
    async fn touch(&self, path: &Path) -> DiskResult<()> {
        self.0.touch(path).await
    }
    async fn space(&self, path: &Path) -> DiskResult<Space> {
        self.0.space(path).await
    }
}

/// Two epochs in which each of `indexes` indexes has one record.
fn wide(disk: &MemDisk, indexes: usize) {
    for millis in [10, 20] {
        let mut raw = RawEpoch::new(millis, 1);
        let records: Vec<_> = (0..indexes).map(|index| raw_record(&format!("i{index}"), "d", None)).collect();
        for frame in records.chunks(1_000) {
            raw.frame(0, frame);
        }
        raw.put(disk, &layout(), true);
    }
}

#[test]
fn calls_per_index_are_few_and_syncs_do_not_grow_with_indexes() {
    for indexes in [1, 1_000, 20_000] {
        let disk = Counting(empty(), Rc::default());
        wide(&disk.0, indexes);
        let mut dealer = dealer(&disk, 64 << 20);
        assert!(matches!(run(dealer.deal_next(&DeletionLog::new())).unwrap(), Outcome::Dealt(_)));
        assert_eq!(disk.of("mkdir"), indexes, "the first time their folders are created");
        disk.1.borrow_mut().clear();
        let Outcome::Dealt(dealt) = run(dealer.deal_next(&DeletionLog::new())).unwrap() else { panic!() };
        assert_eq!((dealt.indexes.len(), dealt.records(), dealt.passes), (indexes, indexes as u64, 1));
        assert_eq!(disk.of("mkdir"), 0);
        assert!(disk.of("list") < 10, "{}", disk.of("list"));
        assert!(disk.of("create") <= 2 * indexes + 2);
        assert!(disk.of("rename") <= indexes + 3);
        assert!(disk.of("fsync folder") + disk.of("syncfs") < 10);
        assert_eq!(disk.of("syncfs"), if indexes < 16 { 0 } else { 2 });
        assert!(disk.of("stat") + disk.of("open") < 20);
        let segments = disk
            .0
            .files()
            .into_iter()
            .filter(|path| path.to_str().is_some_and(|path| path.ends_with(".unsorted_1")));
        assert_eq!(segments.count(), 2 * indexes);
    }
}

#[test]
fn an_epoch_longer_than_memory_takes_several_passes() {
    let disk = empty();
    let expected = log(&disk, 1, 200, 4_000);
    let dealt = deal_all(&mut dealer(&disk, 100_000), &DeletionLog::new());
    assert_eq!(contents(&disk), expected);
    assert!((2..=6).contains(&dealt[0].passes), "{}", dealt[0].passes);
    assert_eq!((dealt[0].indexes.len(), dealt[0].records()), (200, 4_000));
    assert!(dealt[0].indexes.is_sorted_by(|a, b| a.code < b.code));
}

#[test]
fn segments_of_any_length_arrive_whole() {
    let disk = empty();
    let mut raw = RawEpoch::new(10, 1);
    // Below and above what is written directly, and over several writes.
    let texts = [1_000, 300_000, 3_000_000].map(|length| "x".repeat(length));
    for (index, text) in texts.iter().enumerate() {
        raw.frame(0, &[raw_record(&format!("i{index}"), "d", Some(text))]);
    }
    raw.put(&disk, &layout(), true);
    deal_all(&mut dealer(&disk, 64 << 20), &DeletionLog::new());
    let contents = contents(&disk);
    for (index, text) in texts.iter().enumerate() {
        assert!(contents[&format!("i{index}")] == [("d".to_owned(), text.clone())]);
    }
}
