//! What is done to a host's files when all else is well: each damage is reported, costs what it covers, and nobody is served
//! less without a word.

use std::path::{Path, PathBuf};
use std::time::Duration;

use logtank_engine::format::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, RAW_VERSION as VERSION,
    RawHeader as Header, RawName, RawSeal as Seal, SIDECAR_SUFFIX, Salt, SealedBy, SegmentKind, SegmentName,
};
use logtank_engine::ids::{Epoch, Position, ShardId};
use logtank_engine::time::WallMillis;
use logtank_wire::record::RecordWriter;

use crate::finale::{dealt, flip, verify_all};
use crate::nemesis::Nemesis;
use crate::reader::{Recovered, recover};

/// Long before anything here begins.
const LONG_AGO_MILLIS: u64 = 1_600_000_000_000;
/// Longer than the dealer leaves anything alone.
const LOOKED_AT: Duration = Duration::from_secs(15);

/// Does one damage, and sees what becomes of it.
pub(crate) async fn damage(nemesis: &Nemesis) {
    match nemesis.random.below(5) {
        0 => frame(nemesis).await,
        1 => stray(nemesis).await,
        2 => gone(nemesis).await,
        _ => flip(nemesis).await,
    }
}

/// The frames of a sealed segment: where each begins, and its header.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(usize, FrameHeader)> {
    let header = bytes.first_chunk().and_then(|block| Header::decode(block).ok());
    let seal = bytes.get(HEADER_BYTES..).and_then(|bytes| bytes.first_chunk());
    let (Some(header), Some(seal)) = (header, seal) else { return Vec::new() };
    let Ok(seal) = Seal::decode(seal, &header) else { return Vec::new() };
    let (mut at, mut frames) = (usize::try_from(FRAMES_OFFSET).expect("small"), Vec::new());
    let end = usize::try_from(seal.end).expect("small").min(bytes.len());
    while let Some(Ok(frame)) = bytes.get(at..end).map(|rest| FrameHeader::decode(rest, u64::MAX)) {
        frames.push((at, frame));
        let length = usize::try_from(frame.frame_bytes()).expect("small");
        at += length.next_multiple_of(header.block_bytes as usize);
    }
    frames
}

/// Puts the last epoch back as if it were not dealt, and flips a bit in one of its frames: who has nothing in it is not
/// concerned. Then it is mended, and dealt.
async fn frame(nemesis: &Nemesis) {
    let (world, random) = (&nemesis.world, &nemesis.random);
    let files = world.disk.files();
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let history = world.layout.raw_history();
    let archived: Vec<(RawName, PathBuf)> = files
        .iter()
        .filter(|(path, _)| path.starts_with(&history))
        .filter_map(|(path, _)| Some((RawName::parse(&name(path)?)?, path.clone())))
        .collect();
    let Some(last) = archived.iter().filter_map(|(name, _)| name.epoch()).max() else { return };
    // What was merged with it can't be taken apart again.
    let merged = |path: &Path| {
        let segment = name(path).and_then(|name| SegmentName::parse(&name));
        segment.is_some_and(|name| name.kind != SegmentKind::Unsorted && name.time >= last)
    };
    if files.iter().any(|(path, _)| merged(path)) {
        return;
    }
    let of_last: Vec<_> = archived.into_iter().filter(|(name, _)| name.epoch() == Some(last)).collect();
    let all: Vec<(PathBuf, usize, FrameHeader)> = of_last
        .iter()
        .filter(|(name, _)| matches!(name, RawName::Segment { .. }))
        .flat_map(|(name, path)| {
            let frames = frames(&world.disk.peek(path).unwrap_or_default());
            frames.into_iter().map(|(at, frame)| (world.layout.live(*name), at, frame))
        })
        .collect();
    if all.is_empty() {
        return;
    }
    let (path, at, header) = random.pick(&all);
    let payload = usize::try_from(header.payload_bytes).expect("small");
    let byte = at + FRAME_HEADER_BYTES + random.place(payload);
    let put = |path: &Path, bytes: &[u8]| {
        world.disk.remove(path);
        world.disk.put(path, bytes);
    };
    world.flipped.set(true);
    world.executor.trace().count("frames damaged");
    world.executor.trace().note("damage", &path.to_string_lossy(), byte as u64);
    // All at one moment: nobody else has a turn meanwhile.
    for (name, archived) in &of_last {
        put(&world.layout.live(*name), &world.disk.peek(archived).unwrap_or_default());
    }
    let whole = world.disk.peek(path).expect("just put there");
    world.disk.flip(path, byte, u32::try_from(random.below(8)).expect("a bit"));
    put(&world.layout.checkpoint(), last.to_string().as_bytes());
    for index in 0..world.plan.codes.len() {
        let code = world.plan.codes[index].clone();
        let mut came = Recovered::Broken;
        for _ in 0..10 {
            came = recover(world, index, Duration::ZERO, random).await;
            if matches!(came, Recovered::Whole | Recovered::Damaged) {
                break;
            }
        }
        if came != Recovered::Whole && !header.indexes.may_hold(code.as_bytes()) {
            let what = format!("{code} has nothing in the damaged frame, and can't be recovered: {came:?}");
            world.check(Err(what));
        }
    }
    nemesis.attend(LOOKED_AT).await;
    put(path, &whole);
    dealt(nemesis).await;
}

/// A whole segment from before the checkpoint turns up: it stays, and is a finding.
async fn stray(nemesis: &Nemesis) {
    let world = &nemesis.world;
    let epoch = Epoch::new(LONG_AGO_MILLIS).expect("a time");
    let name = RawName::Segment { epoch, shard: ShardId(0), part: 0 };
    let path = world.layout.live(name);
    world.flipped.set(true);
    world.executor.trace().count("strays put");
    world.disk.put(&path, &whole_segment(world.plan.codes[0].as_bytes(), epoch));
    nemesis.attend(LOOKED_AT).await;
    if !world.disk.files().iter().any(|(there, _)| *there == path) {
        world.check(Err("what was never dealt was moved out of raw/live".to_owned()));
    }
    if verify_all(nemesis, true).await == 0 {
        world.check(Err("verify does not find what was never dealt".to_owned()));
    }
}

/// A sealed segment with one record.
fn whole_segment(code: &[u8], epoch: Epoch) -> Vec<u8> {
    let salt = Salt(7);
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    let mut writer = RecordWriter::begin(&mut frame);
    writer.index_code(code);
    writer.docid(b"stray");
    writer.deleted(true);
    writer.finish();
    let first = Position::new(epoch, 0);
    FrameHeader::seal_frame(&mut frame, salt, 1, first, WallMillis(epoch.millis()));
    frame.resize(frame.len().next_multiple_of(8), 0);
    let end = FRAMES_OFFSET + frame.len() as u64;
    let header = Header {
        version: VERSION,
        block_bytes: 8,
        epoch,
        shard: ShardId(0),
        part: 0,
        salt,
        created: WallMillis(epoch.millis()),
        file_bytes: end,
        follows: None,
    };
    let seal = Seal {
        salt,
        epoch,
        end,
        frames: 1,
        records: 1,
        epoch_records: Some(1),
        previous: None,
        sealed_by: SealedBy::Writer,
        sealed: WallMillis(epoch.millis()),
    };
    [&header.encode()[..], &seal.encode(), &frame].concat()
}

/// A segment of an index vanishes, its sidecar stays: a recovery is refused, unless nothing is missing without it.
async fn gone(nemesis: &Nemesis) {
    let (world, random) = (&nemesis.world, &nemesis.random);
    let files = world.disk.files();
    let sidecar = |path: &Path| PathBuf::from(format!("{}{SIDECAR_SUFFIX}", path.display()));
    let segments: Vec<_> = files
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with(world.layout.indexes()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(SegmentName::parse).is_some()
        })
        .filter(|path| files.iter().any(|(there, _)| *there == sidecar(path)))
        .collect();
    if segments.is_empty() {
        return;
    }
    let path = random.pick(&segments);
    world.flipped.set(true);
    world.executor.trace().count("segments taken away");
    world.executor.trace().note("remove", &path.to_string_lossy(), 0);
    world.disk.remove(path);
    for index in 0..world.plan.codes.len() {
        // Whole, or an error; never less.
        recover(world, index, Duration::ZERO, random).await;
    }
}
