//! Keeps segments ready for the shards and gives those in use their names, as the real host's thread does.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::error::Error;
use logtank_engine::format::names::RawName;
use logtank_engine::format::raw::Salt;
use logtank_engine::ids::ShardId;
use logtank_engine::io::disk::Disk;
use logtank_engine::io::op::ShardEvent;
use logtank_engine::raw_log::prepare::Preparer;
use logtank_engine::raw_log::segment::ReadySegment;

use super::life::{Exit, Host, Mail};
use crate::disk::SimDisk;
use crate::run::World;

/// After a segment could not be made ready.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Runs until every shard is done.
pub(super) async fn keep_ready(
    world: &Rc<World>,
    host: &Rc<Host>,
    mut preparer: Preparer<SimDisk>,
) -> Result<(), Error> {
    let mut wanted = vec![0; world.plan.shards];
    let mut given = vec![false; world.plan.shards];
    let mut retry_at = 0;
    // Of the shard that was refused a segment last: how many frames it had placed by then.
    let mut refused = None;
    drop(preparer.give_up(world.plan.shards).await);
    while host.shards_done.get() < world.plan.shards {
        let event = host.from_shards.borrow_mut().pop_front();
        if let Some((shard, event)) = event {
            if let ShardEvent::NeedReady { missing } = event {
                wanted[shard] += missing;
            } else {
                heed(host, &preparer, shard, event).await?;
            }
            continue;
        }
        let wanting = (0..wanted.len()).filter(|shard| wanted[*shard] > 0);
        let next = wanting.max_by_key(|shard| (!given[*shard], wanted[*shard]));
        match next {
            Some(shard) if world.executor.now() >= retry_at => {
                let metrics = host.ports[shard].metrics.clone();
                // What was received is kept, whatever room that takes.
                let waits = metrics.staged_bytes.get() > 0 && metrics.ready_segments.get() == 0;
                let urgent = waits && refused == Some((shard, metrics.frames_staged.get()));
                match hand_over(world, host, &mut preparer, shard, urgent).await {
                    Ok(true) => {
                        refused = None;
                        if !urgent {
                            host.allow_appends(world, None, Some(true));
                        }
                        wanted[shard] -= 1;
                        given[shard] = true;
                        if given.iter().all(|given| *given) {
                            host.open.set(true);
                        }
                    }
                    Ok(false) | Err(_) => {
                        refused = Some((shard, metrics.frames_staged.get()));
                        if metrics.ready_segments.get() == 0 {
                            host.allow_appends(world, None, Some(false));
                        }
                        let pause = u64::try_from(RETRY_AFTER.as_nanos()).expect("a second");
                        retry_at = world.executor.now() + pause;
                    }
                }
            }
            Some(_) => {
                let sleep = world.executor.sleep_until(retry_at);
                either(sleep, host.shard_events.notified()).await;
            }
            None => host.shard_events.notified().await,
        }
    }
    host.ends(world, Exit::Done);
    Ok(())
}

/// Completes with the first of two.
pub async fn either(first: impl Future<Output = ()>, second: impl Future<Output = ()>) {
    let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
    std::future::poll_fn(|context| {
        if first.as_mut().poll(context).is_ready() || second.as_mut().poll(context).is_ready() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

async fn hand_over(
    world: &World,
    host: &Host,
    preparer: &mut Preparer<SimDisk>,
    shard: usize,
    urgent: bool,
) -> Result<bool, Error> {
    if preparer.ready() == 0 {
        let undealt = host.shared.stats.needed_bytes.get();
        if !urgent
            && !preparer.has_room(undealt).await?
            && (preparer.give_up(0).await? == 0 || !preparer.has_room(undealt).await?)
        {
            return Ok(false);
        }
        preparer.prepare_one(|| false).await?;
    }
    let ready = preparer.take().expect("one is ready");
    let file = world.disk.open_ring(&ready.path).expect("a ready file is there");
    let salt = Salt(world.salts.next());
    let slot = logtank_engine::io::op::FileSlot(u32::try_from(ready.number).expect("few files"));
    let segment = ReadySegment { ready: ready.number, file: slot, file_bytes: ready.bytes, salt };
    host.ports[shard].post(Mail::Ready(segment, file));
    Ok(true)
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
        | ShardEvent::Rewriting { .. }
        | ShardEvent::EpochClosed { .. }
        | ShardEvent::Fatal { .. } => {}
    }
    Ok(())
}
