//! Pages out of segments of the index: byte ranges as they stand there, verified, not parsed.

use logtank_wire::record::RecordView;

use super::ahead::Ahead;
use super::buffers::Buffers;
use super::draft::Draft;
use super::error::{ReadError, StartOver};
use super::open_segments::OpenSegments;
use super::token::{Place, SegmentPlace};
use crate::error::Corruption;
use crate::format::index::Point;
use crate::ids::IndexCode;
use crate::index_log::segment_reader::OpenSegment;
use crate::io::buffers::AlignedBuf;
use crate::io::disk::Disk;
use crate::store::Store;
use crate::time::{Clock, MonoNanos};

/// How reading a segment for a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SegmentEnd {
    /// The page is full.
    Full,
    /// The segment has been read.
    Ended,
}

/// Fills pages from segments, of any number of recoveries.
pub(super) struct SegmentPages<D: Disk> {
    open: OpenSegments<D>,
    buffers: Buffers,
}

impl<D: Disk> SegmentPages<D> {
    pub(super) const fn new() -> Self {
        Self { open: OpenSegments::new(), buffers: Buffers::new() }
    }

    /// Takes back memory of a page that was sent.
    pub(super) fn recycle(&self, buffer: AlignedBuf) {
        self.buffers.keep(buffer);
    }

    /// Closes segments that no recovery has read for a minute.
    pub(super) fn close_idle(&self, now: MonoNanos) {
        self.open.release_idle(now);
    }

    /// Gives all memory back that waits for pages to come.
    pub(super) fn release(&self) {
        self.buffers.release();
    }

    /// Fills the page from a segment, beginning at `place`.
    ///
    /// # Errors
    /// The disk's ("not found" if the segment has gone), or corruption. What is in the page then is whole.
    pub(super) async fn fill(
        &self,
        store: &Store<D>,
        clock: &impl Clock,
        draft: &mut Draft,
        place: SegmentPlace,
    ) -> Result<SegmentEnd, ReadError> {
        let segment = self.open.take(store, &draft.code, place.name).await?;
        draft.progress.place = Place::Inside(place);
        let (bytes, records) = (segment.sidecar().header().bytes, segment.sidecar().header().records);
        let mut at = Point { offset: place.offset, record: place.records };
        if at.offset > bytes || at.record > records {
            // Replaced by hand: the token was issued for another file of this name.
            return Err(StartOver::NotValid.into());
        }
        while at.offset < bytes {
            let room = draft.room() as u64;
            let cut = segment.sidecar().cut_after(at, room);
            let fits = cut.offset - at.offset <= room;
            if !fits && !draft.is_empty() {
                self.open.keep(&draft.code, place.name, segment, clock.now().mono);
                return Ok(SegmentEnd::Full);
            }
            let bytes = at.offset..cut.offset;
            let read = match draft.ahead.take().filter(|ahead| ahead.is_of(&draft.code, place.name, &bytes)) {
                Some(ahead) => ahead.records,
                None => segment.read_raw_into(bytes, |capacity| self.buffers.take(capacity)).await?,
            };
            let end = if fits { cut } else { first_records(&segment, &read, at, draft.room())? };
            let length = usize::try_from(end.offset - at.offset).expect("within what was read");
            draft.push(
                read,
                length,
                u32::try_from(end.record - at.record).expect("a page holds fewer records"),
            );
            at = end;
            let place = SegmentPlace { offset: at.offset, records: at.record, ..place };
            draft.progress.place = Place::Inside(place);
        }
        Ok(SegmentEnd::Ended)
    }

    /// Reads the stretch that a page which begins at `place` holds first, if the segment is at hand.
    pub(super) async fn read_ahead(
        &self,
        code: IndexCode,
        place: SegmentPlace,
        bytes_max: usize,
        now: MonoNanos,
    ) -> Option<Ahead> {
        let segment = self.open.take_kept(&code, place.name)?;
        let at = Point { offset: place.offset, record: place.records };
        let cut = segment.sidecar().cut_after(at, bytes_max as u64);
        let bytes = at.offset..cut.offset;
        if bytes.is_empty() {
            return None;
        }
        // What goes wrong here, the page that needs it will meet again and tell.
        let read = segment.read_raw_into(bytes.clone(), |capacity| self.buffers.take(capacity)).await;
        self.open.keep(&code, place.name, segment, now);
        Some(Ahead { code, name: place.name, bytes, records: read.ok()? })
    }
}

/// Where to end a page between two points that lie too far apart: behind the last record that fits, or behind
/// the first if that alone is too long.
fn first_records<D: Disk>(
    segment: &OpenSegment<D>,
    bytes: &[u8],
    begin: Point,
    room: usize,
) -> Result<Point, Corruption> {
    let (mut length, mut records) = (0, 0);
    while length < bytes.len() {
        let (_, next) = RecordView::parse(&bytes[length..]).map_err(|error| Corruption {
            path: segment.path().to_owned(),
            offset: begin.offset + length as u64,
            what: format!("not a record: {error}"),
        })?;
        if records > 0 && length + next > room {
            break;
        }
        length += next;
        records += 1;
    }
    Ok(Point { offset: begin.offset + length as u64, record: begin.record + records })
}
