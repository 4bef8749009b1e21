//! Merging unsorted segments into one sorted stream within a bound of memory.
//!
//! Records are gathered in order of arrival until the bound is reached, sorted by docid (stable, so that those
//! of one docid stay in order) and merged. If that was all, as it is for most indexes, they go straight to
//! the target. If not, each such stretch becomes a run, a temporary sorted segment, and the runs are merged.

use std::path::PathBuf;

use super::counts::MergeCounts;
use super::docid;
use super::kway;
use super::merge::Rule;
use super::record::Record;
use super::segment_reader::{OpenSegment, RecordStream};
use super::segment_writer::SegmentWriter;
use super::sidecar_file::SidecarOrigin;
use crate::error::{Corruption, Result};
use crate::format::index::{Point, Sidecar};
use crate::format::names::SegmentName;
use crate::ids::IndexCode;
use crate::io::disk::Disk;
use crate::limits::Limits;
use crate::store::Store;

/// Unsorted segments to be merged.
#[derive(Debug)]
pub(crate) struct Unsorted<'a, D: Disk> {
    /// Where they are.
    pub store: &'a Store<D>,
    /// The index.
    pub code: &'a IndexCode,
    /// The segments, from the oldest to the newest.
    pub names: &'a [SegmentName],
    /// How much memory and how many files may be used.
    pub limits: &'a Limits,
}

/// Memory that a gathered record takes besides its bytes: its entry, with room for growth and sorting.
const ENTRY_COST_BYTES: usize = 3 * size_of::<Entry>();

impl<D: Disk> Unsorted<'_, D> {
    /// Merges them into `target`; adds damage that was found and did no harm to `findings`.
    ///
    /// # Errors
    /// The disk's, or corruption.
    pub(crate) async fn merge_into(
        &self,
        target: &mut SegmentWriter<D>,
        counts: &mut MergeCounts,
        findings: &mut Vec<Corruption>,
    ) -> Result<()> {
        let mut runs = Runs { files: Vec::new(), made: 0 };
        let result = self.merge_by_runs(&mut runs, target, counts, findings).await;
        for (path, _) in &runs.files {
            // What can't be removed here is temporary by name: the cleaner removes it once it is an hour old.
            drop(self.store.disk().remove_file(path).await);
        }
        result
    }

    async fn merge_by_runs(
        &self,
        runs: &mut Runs,
        target: &mut SegmentWriter<D>,
        counts: &mut MergeCounts,
        findings: &mut Vec<Corruption>,
    ) -> Result<()> {
        let gather_bytes_max = self.limits.job_bytes_max / 4 * 3;
        let mut gathered = Gathered::default();
        for &name in self.names {
            let segment = OpenSegment::open(self.store, self.code, name).await?;
            findings.extend(segment.finding(name));
            let mut stream = segment.records(Point::START, kway::chunk_bytes(self.limits, 1));
            while stream.advance().await? {
                counts.add(stream.bytes().len());
                if gathered.cost() + stream.bytes().len() + ENTRY_COST_BYTES > gather_bytes_max {
                    self.spill(&mut gathered, runs).await?;
                }
                gathered.push(&stream);
            }
        }
        if runs.files.is_empty() {
            gathered.write_sorted(target).await?;
        } else {
            self.spill(&mut gathered, runs).await?;
            // The memory is for the merge now.
            drop(gathered);
            self.merge_runs(runs, target).await?;
        }
        Ok(())
    }

    async fn spill(&self, gathered: &mut Gathered, runs: &mut Runs) -> Result<()> {
        let mut run = self.create_run(runs).await?;
        match gathered.write_sorted(&mut run).await {
            Ok(()) => runs.files.push(run.finish_run().await?),
            Err(error) => {
                run.discard().await;
                return Err(error);
            }
        }
        gathered.clear();
        Ok(())
    }

    async fn merge_runs(&self, runs: &mut Runs, target: &mut SegmentWriter<D>) -> Result<()> {
        // Each record was counted when it was gathered.
        let mut again = MergeCounts::default();
        let fan_in = kway::fan_in_max(self.limits);
        while runs.files.len() > fan_in {
            let streams = self.open_runs(&runs.files[..fan_in]).await?;
            let mut run = self.create_run(runs).await?;
            let merged = kway::merge_streams(streams, Rule::Sort, &mut run, &mut again).await;
            if let Err(error) = merged {
                run.discard().await;
                return Err(error);
            }
            // In place of those it came from: they were the oldest.
            let file = run.finish_run().await?;
            let merged: Vec<_> = runs.files.splice(..fan_in, [file]).collect();
            for (path, _) in merged {
                drop(self.store.disk().remove_file(&path).await);
            }
        }
        let streams = self.open_runs(&runs.files).await?;
        kway::merge_streams(streams, Rule::Sort, target, &mut again).await
    }

    async fn create_run(&self, runs: &mut Runs) -> Result<SegmentWriter<D>> {
        runs.made += 1;
        let first = self.names.first().expect("there is something to sort").time;
        SegmentWriter::create_run(self.store, &self.store.layout().segments(self.code), first, runs.made)
            .await
    }

    async fn open_runs(&self, files: &[(PathBuf, Sidecar)]) -> Result<Vec<RecordStream<D>>> {
        let mut streams = Vec::with_capacity(files.len());
        for (path, sidecar) in files {
            let run =
                OpenSegment::open_with(self.store.disk(), path, sidecar.clone(), SidecarOrigin::Read).await?;
            streams.push(run.records(Point::START, kway::chunk_bytes(self.limits, files.len())));
        }
        Ok(streams)
    }
}

#[derive(Debug)]
struct Runs {
    // From the oldest to the newest.
    files: Vec<(PathBuf, Sidecar)>,
    made: usize,
}

#[derive(Debug)]
struct Entry {
    begin: usize,
    length: u32,
    docid_begin: u32,
    docid_length: u32,
}

#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Gathered {
    fn cost(&self) -> usize {
        self.bytes.len() + self.entries.len() * ENTRY_COST_BYTES
    }

    fn push<D: Disk>(&mut self, record: &RecordStream<D>) {
        let small = |length: usize| u32::try_from(length).expect("a record is far shorter than 4 GiB");
        let entry = Entry {
            begin: self.bytes.len(),
            length: small(record.bytes().len()),
            docid_begin: small(record.docid_offset()),
            docid_length: small(record.docid().len()),
        };
        self.bytes.extend_from_slice(record.bytes());
        self.entries.push(entry);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    // Merges what was gathered into `target`.
    async fn write_sorted<D: Disk>(&mut self, target: &mut SegmentWriter<D>) -> Result<()> {
        let bytes = |entry: &Entry| &self.bytes[entry.begin..entry.begin + entry.length as usize];
        let docid = |entry: &Entry| {
            let begin = entry.begin + entry.docid_begin as usize;
            &self.bytes[begin..begin + entry.docid_length as usize]
        };
        self.entries.sort_by(|a, b| docid::compare(docid(a), docid(b)));
        let mut scratch = Vec::new();
        for same in self.entries.chunk_by(|a, b| docid(a) == docid(b)) {
            let [oldest, newer @ ..] = same else { unreachable!("a chunk has an entry") };
            if newer.is_empty() {
                Rule::Sort.write_alone(bytes(oldest), docid(oldest), target, &mut scratch).await?;
                continue;
            }
            let mut merged = Record::from_bytes(bytes(oldest));
            for record in newer {
                merged.merge(Record::from_bytes(bytes(record)));
            }
            Rule::Sort.write_merged(merged, target, &mut scratch).await?;
        }
        Ok(())
    }
}
