//! Page tokens, as the text that stands in their field 4: version 2, which is issued, and version 1, which is refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logtank_wire::page::LogPageToken;

use super::files::{names, read, same};
use crate::format::names::{RawName, SegmentKind, SegmentName};
use crate::ids::{Epoch, IndexCode, Position, ShardId};
use crate::raw_log::read::scan::ScanPoint;
use crate::recovery_read::error::StartOver;
use crate::recovery_read::token::{LiveHint, Place, Progress, SegmentPlace, TokenKey};
use crate::time::WallMillis;

const KEY: [u8; 32] = [7; 32];
const ISSUED: u64 = 1_795_343_700_000;
const DAY: Duration = Duration::from_secs(86_400);

fn code() -> IndexCode {
    IndexCode::new(b"m").unwrap()
}

fn epoch(millis: u64) -> Epoch {
    Epoch::new(millis).unwrap()
}

/// One for each place.
fn progresses() -> [(&'static str, Progress); 4] {
    let from = Position::new(epoch(1_795_343_622_000), 4);
    let at = |place| Progress {
        issued: WallMillis(ISSUED),
        end: Position::new(epoch(1_795_343_699_000), 9),
        deletion: Position::new(epoch(1_795_343_512_642), 17),
        from,
        boot: 77,
        place,
    };
    let name = |kind| SegmentName { time: epoch(1_795_343_621_999), kind, records: 21 };
    let inside = SegmentPlace { name: name(SegmentKind::Optimized), offset: 1_000, records: 12 };
    let point = |offset| ScanPoint { offset, least: from };
    let shard = RawName::Segment { epoch: from.epoch(), shard: ShardId(3), part: 1 };
    let hints = vec![
        LiveHint { name: RawName::Legacy(from.epoch()), point: point(512) },
        LiveHint { name: shard, point: point(8_192) },
    ];
    [
        ("anywhere", at(Place::Anywhere)),
        ("inside", at(Place::Inside(inside))),
        ("after", at(Place::After(name(SegmentKind::Sorted)))),
        ("live", at(Place::Live(hints))),
    ]
}

fn open(text: Vec<u8>, now: u64) -> Result<Option<Progress>, StartOver> {
    let token = LogPageToken { obsolete_2: Some(text), ..LogPageToken::default() };
    TokenKey::new(KEY).open(&code(), &token, WallMillis(now), DAY)
}

#[test]
fn tokens_are_issued_as_in_version_2_and_read_again() {
    for (name, progress) in progresses() {
        let path = format!("token/v2/{name}");
        same(&path, &TokenKey::new(KEY).issue(&code(), &progress).obsolete_2.unwrap());
        assert_eq!(open(read(&path), ISSUED + 1), Ok(Some(progress)), "{name}");
    }
}

#[test]
fn tokens_of_version_1_have_a_recovery_start_over() {
    for (name, _) in progresses() {
        let text = read(format!("token/v1/{name}"));
        let signed = URL_SAFE_NO_PAD.decode(&text).unwrap();
        assert_eq!(signed[0], 1, "{name}");
        let (payload, hash) = signed.split_last_chunk::<32>().unwrap();
        assert_eq!(
            signature(payload).as_bytes(),
            hash,
            "{name} is refused for its version, not for its signature"
        );
        assert_eq!(open(text, ISSUED + 1), Err(StartOver::NotValid), "{name}");
    }
}

fn signature(payload: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(&KEY);
    hasher.update(&1_u64.to_le_bytes()).update(b"m").update(payload);
    hasher.finalize()
}

/// A damaged token: its name, and what was done to the payload of the good one inside a segment.
type Damaged = (&'static str, fn(&mut Vec<u8>));

/// With a right signature, so that only what is named is wrong.
const SIGNED: [Damaged; 7] = [
    ("version", |payload| payload[0] = 3),
    ("place", |payload| payload[1] = 4),
    ("kind", |payload| payload[42] = 3),
    ("epoch", |payload| payload[49] = 255),
    ("short", |payload| payload.truncate(60)),
    ("long", |payload| payload.push(0)),
    ("empty", Vec::clear),
];

/// With the signature of the good one, or as much of it as there is.
const UNSIGNED: [Damaged; 4] = [
    ("flipped", |signed| signed[20] ^= 1),
    ("signature", |signed| *signed.last_mut().unwrap() ^= 1),
    ("cut", |signed| signed.truncate(70)),
    ("shorter-than-a-signature", |signed| signed.truncate(31)),
];

#[test]
fn each_damaged_token_has_a_recovery_start_over() {
    let good = URL_SAFE_NO_PAD.decode(read("token/v2/inside")).unwrap();
    let mut damaged = Vec::new();
    for (name, damage) in SIGNED {
        let mut payload = good[..good.len() - 32].to_vec();
        damage(&mut payload);
        let hash = signature(&payload);
        payload.extend_from_slice(hash.as_bytes());
        damaged.push((name, URL_SAFE_NO_PAD.encode(payload).into_bytes()));
    }
    for (name, damage) in UNSIGNED {
        let mut signed = good.clone();
        damage(&mut signed);
        damaged.push((name, URL_SAFE_NO_PAD.encode(signed).into_bytes()));
    }
    damaged.push(("not-base64", b"?".to_vec()));
    damaged.push(("too-long", vec![b'A'; 4_097]));
    let mut known = Vec::new();
    for (name, text) in damaged {
        let path = format!("token/damaged/{name}");
        same(&path, &text);
        assert_eq!(open(read(&path), ISSUED + 1), Err(StartOver::NotValid), "{name}");
        known.push(name);
    }
    known.sort_unstable();
    assert_eq!(names("token/damaged"), known);
}

#[test]
fn a_golden_token_is_refused_when_old_and_by_another() {
    let text = read("token/v2/inside");
    assert_eq!(open(text.clone(), ISSUED + 86_400_001), Err(StartOver::TooOld));
    let token = LogPageToken { obsolete_2: Some(text), ..LogPageToken::default() };
    let other = IndexCode::new(b"n").unwrap();
    let now = WallMillis(ISSUED);
    assert_eq!(TokenKey::new(KEY).open(&other, &token, now, DAY), Err(StartOver::NotValid));
    assert_eq!(TokenKey::new([8; 32]).open(&code(), &token, now, DAY), Err(StartOver::NotValid));
}
