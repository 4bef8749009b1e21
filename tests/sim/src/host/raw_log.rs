//! Keeps segments ready for the shards and gives those in use their names, as the real host's thread does.

use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::or;
use logtank_engine::error::Error;
use logtank_engine::format::names::RawName;
use logtank_engine::format::raw::Salt;
use logtank_engine::host::raw_room::{Indexes, RawRoom};
use logtank_engine::ids::ShardId;
use logtank_engine::io::disk::{Disk, Transfer};
use logtank_engine::io::op::ShardEvent;
use logtank_engine::jobs::dealer::Dealer;
use logtank_engine::raw_log::files::prepare::Preparer;
use logtank_engine::raw_log::write::segment::ReadySegment;

use super::life::{Exit, Host, Mail};
use crate::disk::SimDisk;
use crate::run::World;

/// Between two looks at the room on the drive, if nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a segment could not be made ready.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Runs until every shard is done.
pub(super) async fn keep_ready(
    world: &Rc<World>,
    host: &Rc<Host>,
    mut preparer: Preparer<SimDisk>,
) -> Result<(), Error> {
    let (limits, shards) = (&world.plan.limits, world.plan.shards);
    let mut dealer = Dealer::new(host.store(), limits, Transfer::Cached);
    dealer.look().await?;
    host.shared.ledger.saw(0, dealer.lag().sealed_needed_bytes, 0);
    let mut room = RawRoom::new(limits, shards, Indexes::Beside, host.shared.ledger.clone());
    let (mut look_at, mut retry_at) = (0, 0);
    // Of the shard that was refused a segment last: how many frames it had placed by then.
    let mut refused = None;
    drop(preparer.give_up(shards).await);
    while host.shards_done.get() < shards {
        if world.executor.now() >= look_at {
            look_at = world.executor.now() + nanos(LOOK_EVERY);
            look(world, host, &preparer, &mut room).await;
        }
        let event = host.from_shards.borrow_mut().pop_front();
        if let Some((shard, event)) = event {
            match event {
                ShardEvent::NeedReady { missing } => room.wants(shard, missing),
                ShardEvent::NeedRoom => {
                    look(world, host, &preparer, &mut room).await;
                    host.answer(shard);
                }
                event => heed(host, &preparer, shard, event).await?,
            }
            continue;
        }
        match room.next() {
            Some(shard) if world.executor.now() >= retry_at => {
                let metrics = host.ports[shard].metrics.clone();
                // What was received is kept, whatever room that takes.
                let waits = metrics.staged_bytes.get() > 0 && metrics.ready_segments.get() == 0;
                let urgent = waits && refused == Some((shard, metrics.frames_placed.get()));
                match hand_over(world, host, &mut preparer, &mut room, shard, urgent).await {
                    Ok(true) => {
                        refused = None;
                        if !urgent {
                            host.allow_appends(world, None, Some(true));
                        }
                        if room.all_served() {
                            host.open.set(true);
                        }
                    }
                    Ok(false) | Err(_) => {
                        refused = Some((shard, metrics.frames_placed.get()));
                        if !room.has_one(shard) {
                            host.allow_appends(world, None, Some(false));
                        }
                        retry_at = world.executor.now() + nanos(RETRY_AFTER);
                    }
                }
            }
            next => {
                let until = if next.is_some() { retry_at.min(look_at) } else { look_at };
                let sleep = world.executor.sleep_until(until);
                or(sleep, host.shard_events.notified()).await;
            }
        }
    }
    host.ends(world, Exit::Done);
    Ok(())
}

async fn hand_over(
    world: &World,
    host: &Host,
    preparer: &mut Preparer<SimDisk>,
    room: &mut RawRoom,
    shard: usize,
    urgent: bool,
) -> Result<bool, Error> {
    if preparer.ready() == 0 {
        if !urgent && !has_room(world, host, preparer, room, shard).await? {
            return Ok(false);
        }
        if urgent {
            world.executor.trace().count("segments of the last room");
            host.urgent.set(host.urgent.get() + 1);
        }
        room.begins(&preparer.room().await?);
        let made = preparer.prepare_one(|| false).await;
        look(world, host, preparer, room).await;
        made?;
    }
    let ready = preparer.take().expect("one is ready");
    let file = world.disk.open_ring(&ready.path).expect("a ready file is there");
    let salt = Salt(world.salts.next());
    let slot = logtank_engine::io::op::FileSlot(u32::try_from(ready.number).expect("few files"));
    let segment = ReadySegment { ready: ready.number, file: slot, file_bytes: ready.bytes, salt };
    host.ports[shard].post(Mail::Ready(segment, file));
    room.gave(shard);
    look(world, host, preparer, room).await;
    Ok(true)
}

async fn has_room(
    world: &World,
    host: &Host,
    preparer: &mut Preparer<SimDisk>,
    room: &mut RawRoom,
    shard: usize,
) -> Result<bool, Error> {
    let free = preparer.room().await?;
    host.allow_appends(world, Some(room.look(&free)), None);
    if room.admits(shard, &free) {
        return Ok(true);
    }
    if preparer.give_up(0).await? == 0 {
        return Ok(false);
    }
    let free = preparer.room().await?;
    host.allow_appends(world, Some(room.look(&free)), None);
    Ok(room.admits(shard, &free))
}

async fn look(world: &World, host: &Host, preparer: &Preparer<SimDisk>, room: &mut RawRoom) {
    match preparer.room().await {
        Ok(free) => host.allow_appends(world, Some(room.look(&free)), None),
        Err(_) => room.blind(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("seconds")
}

async fn heed(
    host: &Host,
    preparer: &Preparer<SimDisk>,
    shard: usize,
    event: ShardEvent,
) -> Result<(), Error> {
    let shard = ShardId(u16::try_from(shard).expect("few shards"));
    match event {
        ShardEvent::Claimed { ready, epoch, part } => {
            preparer.claimed(ready, RawName::Segment { epoch, shard, part }).await?;
        }
        ShardEvent::Sealed { .. } => host.shared.wake_dealer(),
        ShardEvent::Abandoned { ready, epoch, part } => {
            for name in [RawName::Ready(ready), RawName::Segment { epoch, shard, part }] {
                // What is left, the next start sees to.
                drop(host.disk.remove_file(&host.layout.live(name)).await);
            }
        }
        ShardEvent::Done => host.shards_done.set(host.shards_done.get() + 1),
        ShardEvent::NeedReady { .. }
        | ShardEvent::NeedRoom
        | ShardEvent::Rewriting { .. }
        | ShardEvent::EpochClosed { .. }
        | ShardEvent::Fatal { .. } => {}
    }
    Ok(())
}
