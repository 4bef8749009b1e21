use crate::store::Store;
use crate::testing::store;
use std::collections::BTreeMap;
use std::path::Path;

use logtank_wire::page::LogPageToken;
use logtank_wire::record::RecordView;

use crate::format::layout::Layout;
use crate::ids::{Epoch, IndexCode};
use crate::io::disk::Disk;
use crate::recovery_read::error::ReadError;
use crate::recovery_read::options::ReadOptions;
use crate::recovery_read::page::Page;
use crate::recovery_read::reader::Reader;
use crate::recovery_read::token::TokenKey;
use crate::testing::{ManualClock, MemDisk, run};
use crate::time::Clock;

/// A document as an index engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) fields: Option<BTreeMap<String, String>>,
    pub(super) variables: BTreeMap<i32, u64>,
    pub(super) categories: BTreeMap<String, String>,
}

/// The documents of an index by docid.
pub(super) type State = BTreeMap<String, Document>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("what is served is UTF-8")
}

/// What an index engine does with a record that it recovers.
pub(super) fn apply(state: &mut State, record: &RecordView<'_>) {
    let docid = text(record.docid.expect("what is served has a docid"));
    assert_eq!((record.index_code, record.id.unwrap_or(0)), (None, 0));
    if record.deleted {
        state.remove(&docid);
    }
    if record.fields.is_none() && record.variables.is_none() && record.categories.is_none() {
        return;
    }
    let document = state.entry(docid).or_default();
    if let Some(fields) = &record.fields {
        document.fields = Some(fields.iter().map(|(key, value)| (text(key), text(value))).collect());
    }
    for (number, value) in record.variables.iter().flat_map(|variables| variables.iter()) {
        document.variables.insert(number, value.to_bits());
    }
    for (key, value) in record.categories.iter().flat_map(|categories| categories.iter()) {
        document.categories.insert(text(key), text(value));
    }
}

/// The encoded records of a page, one by one.
pub(super) fn records(page: &Page) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for chunk in &page.chunks {
        let mut rest: &[u8] = chunk;
        while !rest.is_empty() {
            let (_, length) = RecordView::parse(rest).expect("a page holds whole records");
            let (record, behind) = rest.split_at(length);
            records.push(record.to_vec());
            rest = behind;
        }
    }
    assert_eq!(records.len(), page.records as usize);
    records
}

pub(super) fn apply_page(state: &mut State, page: &Page) {
    for record in records(page) {
        apply(state, &RecordView::parse(&record).expect("just parsed").0);
    }
}

pub(super) fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

pub(super) fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

pub(super) fn key() -> TokenKey {
    TokenKey::new([7; 32])
}

/// A reader over any disk.
pub(super) fn reader<D: Disk>(disk: D, clock: &ManualClock, options: ReadOptions) -> Reader<D, ManualClock> {
    Reader::new(store(&disk, &layout()), clock.clone(), key(), options)
}

pub(super) fn layout() -> Layout {
    Layout::new(Path::new("/data/storage"), None)
}

/// A host that may serve recoveries.
pub(super) struct Host {
    pub(super) store: Store<MemDisk>,
    pub(super) clock: ManualClock,
    pub(super) options: ReadOptions,
    pub(super) reader: Reader<MemDisk, ManualClock>,
}

impl Host {
    pub(super) fn new() -> Self {
        Self::with(ReadOptions::default())
    }

    /// With pages of this many bytes.
    pub(super) fn with_pages(bytes: usize) -> Self {
        Self::with(ReadOptions { page_bytes_max: bytes, ..ReadOptions::default() })
    }

    pub(super) fn with(options: ReadOptions) -> Self {
        let (disk, clock) = (MemDisk::new(), ManualClock::at(1_800_000_000_000));
        let layout = layout();
        disk.put(layout.master(), b"");
        disk.put(layout.safe_to_read(), b"");
        let reader = reader(disk.clone(), &clock, options.clone());
        Self { store: store(&disk, &layout), clock, options, reader }
    }

    /// As a new process would be, with the options as they are now.
    pub(super) fn restart(&mut self) {
        self.reader = reader(self.store.disk().clone(), &self.clock, self.options.clone());
    }

    pub(super) fn page(&self, index: &str, token: &LogPageToken) -> Result<Page, ReadError> {
        let before = self.clock.now();
        // What was read ahead changes nothing.
        let ahead = run(self.reader.read_ahead(index.as_bytes(), token));
        let page = run(self.reader.read_page_with(index.as_bytes(), token, ahead));
        if let Ok(page) = &page {
            let one = page.records == 1;
            assert!(
                one || page.record_bytes() <= self.options.page_bytes_max,
                "{} bytes",
                page.record_bytes()
            );
            let waited = self.clock.now().mono.since(before.mono);
            assert!(page.records > 0 || page.next.is_none() || waited >= self.options.gap_time_max);
        }
        page
    }

    /// Gives back the memory of a page.
    pub(super) fn recycle(&self, page: Page) {
        for chunk in page.chunks {
            self.reader.recycle(chunk.into_parts().0);
        }
    }

    /// Reads all pages from this token on.
    pub(super) fn go_on(
        &self,
        index: &str,
        state: &mut State,
        token: LogPageToken,
    ) -> Result<usize, ReadError> {
        let mut token = Some(token);
        let mut pages = 0;
        while let Some(present) = token {
            let page = self.page(index, &present)?;
            apply_page(state, &page);
            token = page.next.clone();
            self.recycle(page);
            pages += 1;
            assert!(pages < 100_000, "the recovery does not end");
        }
        Ok(pages)
    }

    /// A whole recovery.
    pub(super) fn recover(&self, index: &str) -> State {
        let mut state = State::new();
        self.go_on(index, &mut state, LogPageToken::default()).unwrap();
        state
    }
}
