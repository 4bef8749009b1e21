//! Raw segments can't be made for a while, though there is room: the drive takes no new files, or there are no descriptors.

use std::rc::Rc;
use std::time::Duration;

use crate::host::Host;
use crate::nemesis::Nemesis;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The host ends after five seconds in which batches wait for a segment; it looks each second, and making one takes its time.
const WAITING_MAX: Duration = Duration::from_secs(8);

/// The drive takes no new files, and no other names: batches have nowhere to go when what is being written to is full. The
/// host must end then, for nobody else would answer them.
pub(crate) async fn broken_drive(nemesis: &Nemesis) {
    let Nemesis { world, random } = nemesis;
    let (faults, executor) = (world.disk.faults(), &world.executor);
    executor.trace().count("broken drives");
    executor.sleep_until(faults.stalled_until.get().max(executor.now())).await;
    faults.heal();
    nemesis.restart_if_halted().await;
    faults.names.set(1_000);
    let until = executor.now() + nanos(Duration::from_millis(random.between(2_000, 16_000)));
    let mut life: Option<Rc<Host>> = None;
    let mut waiting: Vec<Waiting> = Vec::new();
    while executor.now() < until {
        nemesis.attend(LOOK_EVERY).await;
        if random.percent(10) {
            nemesis.end_epoch();
        }
        let Some(host) = world.open_host() else { continue };
        if !life.as_ref().is_some_and(|known| Rc::ptr_eq(known, &host)) {
            waiting = vec![Waiting::default(); world.plan.shards];
            life = Some(host.clone());
        }
        for (shard, waiting) in waiting.iter_mut().enumerate() {
            if waiting.observe(&host, shard, executor.now()) > nanos(WAITING_MAX) {
                let what =
                    format!("shard {shard} waits for a segment that can't be made, and the host goes on");
                world.check(Err(what));
            }
        }
    }
    faults.heal();
    nemesis.restart_if_halted().await;
}

/// Since when a shard has batches and nowhere to write them to, and how many frames had got a place by then.
#[derive(Clone, Copy, Default)]
struct Waiting(Option<(u64, u64)>);

impl Waiting {
    /// For how long.
    fn observe(&mut self, host: &Host, shard: usize, now: u64) -> u64 {
        let placed = host.ports[shard].placed();
        let since = self.0.filter(|(before, _)| *before == placed).map_or(now, |(_, since)| since);
        self.0 = host.ports[shard].waits_for_a_segment().then_some((placed, since));
        self.0.map_or(0, |(_, since)| now - since)
    }
}

/// Files can't be opened now and then, or not at all. A host that runs goes on, and so does its background.
pub(crate) async fn no_descriptors(nemesis: &Nemesis) {
    let Nemesis { world, random } = nemesis;
    let faults = world.disk.faults();
    world.executor.trace().count("spells without descriptors");
    faults.heal();
    nemesis.restart_if_halted().await;
    let life = world.open_host();
    faults.opens.set(if random.percent(50) { 1_000 } else { random.between(50, 900) });
    for _ in 0..4 {
        nemesis.end_epoch();
        nemesis.attend(Duration::from_millis(random.below(1_500))).await;
    }
    faults.heal();
    let Some(host) = life else { return };
    if let Some(exit) = &*host.exit.borrow() {
        world.check(Err(format!("the host ended for want of descriptors: {exit:?}")));
    }
    if host.halted.get() {
        world.check(Err("the background halted for want of descriptors".to_owned()));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("seconds")
}
