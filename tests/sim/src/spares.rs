//! Files that wait to be recycled, full of frames of an earlier life: wherever a segment ends, an old frame may begin.

use logtank_engine::format::{FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, RawName, Salt};
use logtank_engine::ids::{Epoch, Position, ShardId};
use logtank_engine::raw_log::AppendMode;
use logtank_engine::time::WallMillis;
use logtank_wire::record::RecordWriter;

use crate::random::Random;
use crate::run::World;

/// Long before anything here begins.
const EPOCH_MILLIS: u64 = 1_700_000_000_000;
/// Records of one epoch, at most.
const ORDINALS: u64 = 300;

/// Puts as many as the plan has into `raw/spare/`.
pub(crate) fn put(world: &World) {
    let random = Random::new(world.plan.seed, "spares");
    for number in 0..world.plan.spares {
        let epoch = Epoch::new(EPOCH_MILLIS + number).expect("a time");
        let name = RawName::Segment { epoch, shard: ShardId(0), part: 0 };
        let path = world.layout.raw_spare().join(name.to_string());
        world.disk.put(&path, &old(world, epoch, &random));
    }
}

fn old(world: &World, epoch: Epoch, random: &Random) -> Vec<u8> {
    let len = usize::try_from(world.plan.limits.segment_file_bytes()).expect("small");
    let block = match world.plan.append {
        AppendMode::Direct => AppendMode::Direct.block_bytes(),
        AppendMode::Buffered => AppendMode::Buffered.block_bytes(),
    };
    let salt = Salt(world.salts.next());
    let mut bytes = vec![0xa5; usize::try_from(FRAMES_OFFSET).expect("small")];
    while bytes.len() < len {
        let mut frame = vec![0; FRAME_HEADER_BYTES];
        let mut writer = RecordWriter::begin(&mut frame);
        writer.index_code(world.plan.codes[0].as_bytes());
        writer.docid(b"old");
        writer.deleted(true);
        writer.finish();
        let first = Position::new(epoch, u32::try_from(random.below(ORDINALS)).expect("few"));
        FrameHeader::seal_frame(&mut frame, salt, 1, first, WallMillis(EPOCH_MILLIS));
        frame.resize(frame.len().next_multiple_of(block), 0);
        bytes.extend(frame);
    }
    bytes.truncate(len);
    bytes
}
