//! Page tokens: where a recovery goes on, signed so that only this host's own are believed.
//!
//! Field 4 of the token carries, in base64 (URL alphabet, no padding), a payload and 32 bytes of keyed BLAKE3
//! over the index code and the payload. The other fields say roughly the same for people and are not read. All numbers are
//! little-endian.
//!
//! ```text
//! 0  1 version = 2             42  a segment (places 1 and 2)      42  in the raw log (place 3)
//! 1  1 place: 0 anywhere           1 kind: 0 unsorted 1 sorted         1 hints
//!      1 inside a segment                2 optimized                   then each:
//!      2 at the end of one         8 time in its name                  1 0, or 1 for a segment of
//!      3 in the raw log            8 records in its name                   the original
//! 2  8 issued, ms              59  inside it (place 1)                 2 shard
//! 10 8 end                         8 offset of the next record         4 part
//! 18 8 deletion                    8 records before it                 8 offset of a frame
//! 26 8 from                                                            8 least position there
//! 34 8 boot
//! ```
//!
//! A version that carries a host-independent position gets another number in byte 0; this one refuses it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logtank_wire::page::{LogPageToken, PageType};

use super::error::StartOver;
use crate::format::names::{RawName, SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode, Position, ShardId};
use crate::limits;
use crate::raw_log::read::scan::ScanPoint;
use crate::time::WallMillis;

const VERSION: u8 = 2;
const HASH_BYTES: usize = blake3::OUT_LEN;
/// Longest text in field 4 that is looked at; ours are shorter.
const TEXT_BYTES_MAX: usize = 4096;
const HINT_BYTES: usize = 23;
/// Segments of the raw log whose place one token remembers: one of each shard.
pub const HINTS_MAX: usize = limits::SHARDS_MAX as usize;

const _: () = assert!(
    (42 + 1 + HINTS_MAX * HINT_BYTES + HASH_BYTES).div_ceil(3) * 4 < TEXT_BYTES_MAX,
    "every token of ours is read back"
);

/// Signs and checks tokens: 32 random bytes that never leave the host.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

/// How far a recovery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When the token was issued.
    pub issued: WallMillis,
    /// Everything before this is delivered before the recovery ends. Fixed by the first page.
    pub end: Position,
    /// The deletion of the index that the first page saw; [`Position::ZERO`] for none. A greater one since
    /// means that the index was deleted during the recovery.
    pub deletion: Position,
    /// Everything before this is delivered, or lies in the optimized segment of `place`.
    pub from: Position,
    /// Since the machine started this time ([`super::options::ReadOptions::boot`]) it was issued.
    pub boot: u64,
    /// Where exactly on this host's disk. Where the files have changed since, `from` decides.
    pub place: Place,
}

/// A place on this host's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Whatever holds `from` comes next, from its beginning.
    Anywhere,
    /// Inside a segment of the index.
    Inside(SegmentPlace),
    /// At the end of a sorted or unsorted segment of the index: the one behind it comes next.
    After(SegmentName),
    /// Inside the raw log, in `from`'s epoch: at most [`HINTS_MAX`] hints.
    Live(Vec<LiveHint>),
}

/// A record in a segment of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentPlace {
    /// The segment.
    pub name: SegmentName,
    /// Offset of the next record.
    pub offset: u64,
    /// Records before it.
    pub records: u64,
}

/// A frame in a raw segment of `from`'s epoch: no frame before it holds anything that is still to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveHint {
    /// The segment: [`RawName::Segment`] or [`RawName::Legacy`].
    pub name: RawName,
    /// The frame.
    pub point: ScanPoint,
}

impl TokenKey {
    /// The key of these bytes, which must be random and secret.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token that stands for `progress` in a recovery of `code`.
    ///
    /// # Panics
    /// If there are more than [`HINTS_MAX`] hints, or they are not of `from`'s epoch.
    #[must_use]
    pub fn issue(&self, code: &IndexCode, progress: &Progress) -> LogPageToken {
        let mut bytes = encode(progress);
        let hash = self.hash(code, &bytes);
        bytes.extend_from_slice(hash.as_bytes());
        let text = URL_SAFE_NO_PAD.encode(&bytes).into_bytes();
        LogPageToken { obsolete_2: Some(text), ..for_people(progress) }
    }

    /// What a client's token says; `None` if it is the empty one that begins a recovery.
    ///
    /// # Errors
    /// If it is neither empty nor a token that this host issued for `code` at most `age_max` ago.
    pub fn open(
        &self,
        code: &IndexCode,
        token: &LogPageToken,
        now: WallMillis,
        age_max: Duration,
    ) -> Result<Option<Progress>, StartOver> {
        let Some(text) = &token.obsolete_2 else {
            return if token.is_initial() { Ok(None) } else { Err(StartOver::NotValid) };
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(StartOver::NotValid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| StartOver::NotValid)?;
        let (payload, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(StartOver::NotValid)?;
        // Comparing hashes of this type takes the same time wherever they differ.
        if self.hash(code, payload) != blake3::Hash::from_bytes(*hash) {
            return Err(StartOver::NotValid);
        }
        let progress = decode(payload).ok_or(StartOver::NotValid)?;
        let age = Duration::from_millis(now.0.saturating_sub(progress.issued.0));
        if age > age_max { Err(StartOver::TooOld) } else { Ok(Some(progress)) }
    }

    fn hash(&self, code: &IndexCode, payload: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        // The length in front keeps (code, payload) from being cut elsewhere.
        hasher.update(&(code.as_str().len() as u64).to_le_bytes());
        hasher.update(code.as_str().as_bytes());
        hasher.update(payload);
        hasher.finalize()
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(secret)")
    }
}

/// Fields 1, 2, 5, 7 and 8, with the meaning they have in tokens of the original.
fn for_people(progress: &Progress) -> LogPageToken {
    let millis = |epoch: Epoch| i64::try_from(epoch.millis()).expect("an epoch has 42 bits");
    match &progress.place {
        Place::Anywhere | Place::After(_) => LogPageToken {
            kind: Some(PageType::Initial as i32),
            next_kind: Some(PageType::Index as i32),
            next_timestamp: Some(millis(progress.from.epoch())),
            ..LogPageToken::default()
        },
        Place::Inside(place) => LogPageToken {
            kind: Some(match place.name.kind {
                SegmentKind::Optimized => PageType::Optimized as i32,
                SegmentKind::Unsorted | SegmentKind::Sorted => PageType::Index as i32,
            }),
            timestamp: Some(millis(place.name.time)),
            file_position: Some(i64::try_from(place.offset).unwrap_or(i64::MAX)),
            ..LogPageToken::default()
        },
        Place::Live(hints) => LogPageToken {
            kind: Some(PageType::Live as i32),
            timestamp: Some(millis(progress.from.epoch())),
            file_position: hints.first().map(|hint| i64::try_from(hint.point.offset).unwrap_or(i64::MAX)),
            ..LogPageToken::default()
        },
    }
}

fn encode(progress: &Progress) -> Vec<u8> {
    let place = match progress.place {
        Place::Anywhere => 0,
        Place::Inside(_) => 1,
        Place::After(_) => 2,
        Place::Live(_) => 3,
    };
    let mut out = vec![VERSION, place];
    let mut put = |number: u64| out.extend_from_slice(&number.to_le_bytes());
    put(progress.issued.0);
    put(progress.end.packed());
    put(progress.deletion.packed());
    put(progress.from.packed());
    put(progress.boot);
    match &progress.place {
        Place::Anywhere => {}
        Place::Inside(place) => {
            put_name(&mut out, place.name);
            out.extend_from_slice(&place.offset.to_le_bytes());
            out.extend_from_slice(&place.records.to_le_bytes());
        }
        Place::After(name) => put_name(&mut out, *name),
        Place::Live(hints) => {
            assert!(hints.len() <= HINTS_MAX, "too many hints for a token");
            let epoch = progress.from.epoch();
            assert!(hints.iter().all(|hint| hint.name.epoch() == Some(epoch)), "hints are of one epoch");
            out.push(u8::try_from(hints.len()).expect("just compared"));
            for hint in hints {
                put_hint(&mut out, hint);
            }
        }
    }
    out
}

fn put_name(out: &mut Vec<u8>, name: SegmentName) {
    out.push(match name.kind {
        SegmentKind::Unsorted => 0,
        SegmentKind::Sorted => 1,
        SegmentKind::Optimized => 2,
    });
    out.extend_from_slice(&name.time.millis().to_le_bytes());
    out.extend_from_slice(&name.records.to_le_bytes());
}

fn put_hint(out: &mut Vec<u8>, hint: &LiveHint) {
    let (legacy, shard, part) = match hint.name {
        RawName::Segment { shard, part, .. } => (0, shard, part),
        RawName::Legacy(_) => (1, ShardId(0), 0),
        RawName::Ready(_) | RawName::Lost(_) => panic!("{} is no segment with a place in it", hint.name),
    };
    out.push(legacy);
    out.extend_from_slice(&shard.0.to_le_bytes());
    out.extend_from_slice(&part.to_le_bytes());
    out.extend_from_slice(&hint.point.offset.to_le_bytes());
    out.extend_from_slice(&hint.point.least.packed().to_le_bytes());
}

/// Reads numbers off the front of a payload.
struct Payload<'a>(&'a [u8]);

impl Payload<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }
}

fn decode(payload: &[u8]) -> Option<Progress> {
    let mut payload = Payload(payload);
    if payload.byte()? != VERSION {
        return None;
    }
    let place = payload.byte()?;
    let issued = WallMillis(payload.number()?);
    let end = Position::from_packed(payload.number()?);
    let deletion = Position::from_packed(payload.number()?);
    let from = Position::from_packed(payload.number()?);
    let boot = payload.number()?;
    let place = match place {
        0 => Place::Anywhere,
        1 => {
            let name = segment_name(&mut payload)?;
            Place::Inside(SegmentPlace { name, offset: payload.number()?, records: payload.number()? })
        }
        2 => Place::After(segment_name(&mut payload)?),
        3 => {
            let count = payload.byte()?;
            Place::Live((0..count).map(|_| live_hint(&mut payload, from.epoch())).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    payload.0.is_empty().then_some(Progress { issued, end, deletion, from, boot, place })
}

fn segment_name(payload: &mut Payload<'_>) -> Option<SegmentName> {
    let kind = match payload.byte()? {
        0 => SegmentKind::Unsorted,
        1 => SegmentKind::Sorted,
        2 => SegmentKind::Optimized,
        _ => return None,
    };
    Some(SegmentName { kind, time: Epoch::new(payload.number()?)?, records: payload.number()? })
}

fn live_hint(payload: &mut Payload<'_>, epoch: Epoch) -> Option<LiveHint> {
    let legacy = payload.byte()?;
    let shard = ShardId(u16::from_le_bytes(payload.bytes()?));
    let part = u32::from_le_bytes(payload.bytes()?);
    let name = match legacy {
        0 => RawName::Segment { epoch, shard, part },
        1 => RawName::Legacy(epoch),
        _ => return None,
    };
    let point = ScanPoint { offset: payload.number()?, least: Position::from_packed(payload.number()?) };
    Some(LiveHint { name, point })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn key() -> TokenKey {
        TokenKey::new([7; 32])
    }

    fn code() -> IndexCode {
        IndexCode::new(b"m").unwrap()
    }

    fn epoch(millis: u64) -> Epoch {
        Epoch::new(millis).unwrap()
    }

    fn inside() -> Progress {
        let name = SegmentName { time: epoch(1_795_343_621_999), kind: SegmentKind::Optimized, records: 21 };
        Progress {
            issued: WallMillis(1_000_000),
            end: Position::new(epoch(1_795_343_700_000), 9),
            deletion: Position::ZERO,
            from: Position::new(epoch(1_795_343_622_000), 0),
            boot: 77,
            place: Place::Inside(SegmentPlace { name, offset: 1_000, records: 12 }),
        }
    }

    fn live() -> Progress {
        let epoch = inside().from.epoch();
        let point = ScanPoint { offset: 8192, least: Position::new(epoch, 3) };
        let name = |shard| match shard {
            0 => RawName::Legacy(epoch),
            _ => RawName::Segment { epoch, shard: ShardId(shard), part: 1 },
        };
        let hints = (0..HINTS_MAX as u16).map(|shard| LiveHint { name: name(shard), point });
        Progress { place: Place::Live(hints.collect()), ..inside() }
    }

    #[test]
    fn a_token_says_what_was_put_into_it() {
        let Place::Inside(SegmentPlace { name, .. }) = inside().place else { unreachable!() };
        let after = Progress { place: Place::After(name), ..inside() };
        for progress in [inside(), live(), after, Progress { place: Place::Anywhere, ..inside() }] {
            let token = key().issue(&code(), &progress);
            assert_eq!(key().open(&code(), &token, WallMillis(1_000_001), HOUR), Ok(Some(progress)));
        }
    }

    #[test]
    fn its_other_fields_read_as_those_of_the_original() {
        let token = key().issue(&code(), &inside());
        assert_eq!(
            (token.kind, token.timestamp, token.file_position),
            (Some(1), Some(1_795_343_621_999), Some(1_000))
        );
        let between = key().issue(&code(), &Progress { place: Place::Anywhere, ..inside() });
        assert_eq!((between.next_kind, between.next_timestamp), (Some(2), Some(1_795_343_622_000)));
        assert_eq!(key().issue(&code(), &live()).kind, Some(3));
    }

    #[test]
    fn only_an_empty_token_begins() {
        let open = |token: LogPageToken| key().open(&code(), &token, WallMillis(0), HOUR);
        let empty = LogPageToken::default();
        assert_eq!(open(empty.clone()), Ok(None));
        assert_eq!(open(LogPageToken { kind: Some(0), ..empty.clone() }), Ok(None));
        for other in [
            LogPageToken { kind: Some(3), ..empty.clone() },
            LogPageToken { kind: Some(-1), ..empty.clone() },
            LogPageToken { timestamp: Some(1), ..empty.clone() },
            LogPageToken { kind: Some(0), next_kind: Some(3), next_timestamp: Some(1), ..empty.clone() },
            LogPageToken { obsolete_1: Some(0), ..empty.clone() },
            LogPageToken { obsolete_3: Some(false), ..empty.clone() },
            LogPageToken { obsolete_2: Some(Vec::new()), ..empty.clone() },
            LogPageToken { obsolete_2: Some(vec![b'A'; TEXT_BYTES_MAX + 1]), ..empty },
        ] {
            assert_eq!(open(other.clone()), Err(StartOver::NotValid), "{other:?}");
        }
    }

    #[test]
    fn each_changed_inserted_or_missing_byte_is_refused() {
        let token = key().issue(&code(), &inside());
        let text = token.obsolete_2.clone().unwrap();
        let open = |text: Vec<u8>| {
            key().open(
                &code(),
                &LogPageToken { obsolete_2: Some(text), ..token.clone() },
                WallMillis(0),
                HOUR,
            )
        };
        for at in 0..text.len() {
            for byte in 0..=255 {
                let mut changed = text.clone();
                changed[at] = byte;
                assert_eq!(open(changed).is_ok(), byte == text[at], "byte {at} as {byte}");
            }
            assert_eq!(open(text[..at].to_vec()), Err(StartOver::NotValid));
            let mut longer = text.clone();
            longer.insert(at, b'A');
            assert_eq!(open(longer), Err(StartOver::NotValid));
        }
    }

    #[test]
    fn a_token_of_another_index_or_another_host_is_refused() {
        let token = key().issue(&code(), &inside());
        let other = IndexCode::new(b"n").unwrap();
        assert_eq!(key().open(&other, &token, WallMillis(0), HOUR), Err(StartOver::NotValid));
        let elsewhere = TokenKey::new([8; 32]);
        assert_eq!(elsewhere.open(&code(), &token, WallMillis(0), HOUR), Err(StartOver::NotValid));
    }

    #[test]
    fn a_token_of_a_later_version_is_refused_though_signed() {
        let mut payload = encode(&inside());
        payload[0] = 3;
        let hash = key().hash(&code(), &payload);
        payload.extend_from_slice(hash.as_bytes());
        let token = LogPageToken {
            obsolete_2: Some(URL_SAFE_NO_PAD.encode(&payload).into_bytes()),
            ..LogPageToken::default()
        };
        assert_eq!(key().open(&code(), &token, WallMillis(0), HOUR), Err(StartOver::NotValid));
    }

    #[test]
    fn tokens_age_but_a_clock_that_stepped_back_harms_none() {
        let token = key().issue(&code(), &inside());
        let open = |now| key().open(&code(), &token, WallMillis(now), HOUR);
        assert!(open(1_000_000 + 3_600_000).is_ok());
        assert_eq!(open(1_000_000 + 3_600_001), Err(StartOver::TooOld));
        assert!(open(0).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_opened_without_panic(text: Vec<u8>, payload: Vec<u8>) {
            let token = LogPageToken { obsolete_2: Some(text), ..LogPageToken::default() };
            proptest::prop_assert_eq!(key().open(&code(), &token, WallMillis(0), HOUR), Err(StartOver::NotValid));
            drop(decode(&payload));
        }
    }
}
