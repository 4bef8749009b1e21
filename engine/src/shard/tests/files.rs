//! A model of the drive: what the page cache shows, what a power cut would leave, and operations in any order.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};

use logtank_wire::record::RecordView;

use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, Header, SEAL_BYTES, SEAL_OFFSET, Seal,
};
use crate::ids::Position;
use crate::io::op::{Completion, FileSlot, Op, Write};

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    /// A write ends after this many bytes (of a thousand); a sync succeeds.
    Short(usize),
    /// An I/O error.
    Failure,
}

#[derive(Debug)]
pub(super) struct File {
    cache: Vec<u8>,
    durable: Vec<u8>,
    /// Ranges written since the last sync began.
    dirty: Vec<(usize, usize)>,
    pub(super) released: bool,
}

#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<FileSlot, File>,
    pending: Vec<(Op, Vec<(usize, usize)>)>,
}

impl Files {
    pub(super) fn create(&mut self, bytes: u64) -> FileSlot {
        let slot = FileSlot(u32::try_from(self.files.len()).unwrap());
        // Bytes of an earlier life.
        let mut content = vec![0xa5; usize::try_from(bytes).unwrap()];
        content[..usize::try_from(FRAMES_OFFSET).unwrap()].fill(0);
        self.files.insert(
            slot,
            File { cache: content.clone(), durable: content, dirty: Vec::new(), released: false },
        );
        slot
    }

    pub(super) fn begin(&mut self, op: Op) {
        let mut covered = Vec::new();
        if let Op::Sync { file, .. } = &op {
            let file = self.files.get_mut(file).unwrap();
            assert!(!file.released);
            covered = std::mem::take(&mut file.dirty);
        }
        if let Op::ReleaseFile { file } = op {
            let busy = |op: &Op| matches!(op, Op::Write { write: Write { file: other, .. }, .. } | Op::Sync { file: other, .. } if *other == file);
            assert!(!self.pending.iter().any(|(op, _)| busy(op)), "released while in use");
            self.files.get_mut(&file).unwrap().released = true;
            return;
        }
        self.pending.push((op, covered));
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn pending_is_sync(&self, place: usize) -> bool {
        matches!(self.pending[place].0, Op::Sync { .. })
    }

    pub(super) fn pending_file(&self, place: usize) -> FileSlot {
        match &self.pending[place].0 {
            Op::Write { write: Write { file, .. }, .. } | Op::Sync { file, .. } => *file,
            other => unreachable!("{other:?} has no completion"),
        }
    }

    /// Ends a pending operation.
    pub(super) fn complete(&mut self, place: usize, outcome: Outcome) -> Completion {
        let (op, covered) = self.pending.remove(place);
        match op {
            Op::Write { token, write: Write { file, offset, buffer, from }, durable } => {
                let file = self.files.get_mut(&file).unwrap();
                assert!(!file.released);
                let bytes = &buffer[from..];
                let taken = match outcome {
                    Outcome::Success => bytes.len(),
                    Outcome::Short(thousandths) => bytes.len() * thousandths / 1000,
                    Outcome::Failure => bytes.len() / 2,
                };
                let begin = usize::try_from(offset).unwrap();
                file.cache[begin..begin + taken].copy_from_slice(&bytes[..taken]);
                if durable && outcome != Outcome::Failure {
                    file.durable[begin..begin + taken].copy_from_slice(&bytes[..taken]);
                } else {
                    file.dirty.push((begin, taken));
                }
                let result =
                    if outcome == Outcome::Failure { Err(Error::from_raw_os_error(5)) } else { Ok(taken) };
                Completion::Written { token, buffer, result }
            }
            Op::Sync { token, file } => {
                let file = self.files.get_mut(&file).unwrap();
                if outcome == Outcome::Failure {
                    // What was not synced is lost, and a later sync will not say so.
                    return Completion::Synced { token, result: Err(ErrorKind::Other.into()) };
                }
                for (begin, len) in covered {
                    let bytes = file.cache[begin..begin + len].to_vec();
                    file.durable[begin..begin + len].copy_from_slice(&bytes);
                }
                Completion::Synced { token, result: Ok(()) }
            }
            other => unreachable!("{other:?} has no completion"),
        }
    }

    /// What a reader finds in each file, in the page cache or after a power cut.
    pub(super) fn segments(&self, durable: bool) -> Vec<Segment> {
        let content = |file: &File| if durable { file.durable.clone() } else { file.cache.clone() };
        let read = |(slot, file): (&FileSlot, &File)| Segment::read(*slot, &content(file));
        self.files.iter().filter_map(read).collect()
    }
}

/// What is in one file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) slot: FileSlot,
    pub(super) header: Header,
    pub(super) seal: Option<Seal>,
    /// Position and docid of each record; up to the seal's end, if there is a seal.
    pub(super) records: Vec<(Position, String)>,
}

impl Segment {
    fn read(slot: FileSlot, bytes: &[u8]) -> Option<Self> {
        let header = Header::decode(bytes[..HEADER_BYTES].try_into().unwrap()).ok()?;
        let seal_at = usize::try_from(SEAL_OFFSET).unwrap();
        let seal = Seal::decode(bytes[seal_at..seal_at + SEAL_BYTES].try_into().unwrap(), &header).ok();
        let end = seal.map_or(bytes.len(), |seal| usize::try_from(seal.end).unwrap());
        let mut at = usize::try_from(FRAMES_OFFSET).unwrap();
        let (mut records, mut least, mut frames) = (Vec::new(), Position::new(header.epoch, 0), 0);
        while let Some(begin) = bytes[..end].get(at..at + FRAME_HEADER_BYTES) {
            let Ok(frame) = FrameHeader::decode(begin, (end - at) as u64) else { break };
            let whole = &bytes[at..at + usize::try_from(frame.frame_bytes()).unwrap()];
            if frame.verify(whole, &header, least).is_err() {
                break;
            }
            let mut payload = &whole[FRAME_HEADER_BYTES..];
            for place in 0..frame.records {
                let (record, len) = RecordView::parse(payload).unwrap();
                records.push((
                    frame.first.advanced(place),
                    String::from_utf8_lossy(record.docid.unwrap()).into_owned(),
                ));
                payload = &payload[len..];
            }
            least = frame.end();
            frames += 1;
            at += whole.len().next_multiple_of(usize::try_from(header.block_bytes).unwrap());
        }
        if let Some(seal) = &seal {
            assert_eq!((seal.end, seal.frames, seal.records), (at as u64, frames, records.len() as u64));
        }
        Some(Self { slot, header, seal, records })
    }
}
