//! For a while the drive has little room besides its reserve. Nobody else fills it, so the host must get along: it leaves the
//! reserve, dealing never waits for room, and batches are taken again when what was received is dealt.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::room::to_deal;

use crate::client::{self, Load};
use crate::host::Host;
use crate::nemesis::Nemesis;
use crate::oracle::Crash;

/// Folders, checkpoints and sidecars take a little besides what is counted.
const SLACK_BYTES: u64 = 24_000;
/// What the last blocks of the segments of three indexes take. Of epochs that end between two looks of the dealer, those of one
/// are promised.
const LAST_BLOCKS: u64 = 3 * 8_192;
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// For an epoch to be dealt, and for the host to look at the room then.
const DEALT_AFTER: Duration = Duration::from_secs(4);
/// Longer than the host takes to look at the room, and to make a segment.
const FOR_GOOD_AFTER: Duration = Duration::from_secs(6);

/// The trouble.
pub(crate) async fn small_drive(nemesis: &Nemesis) {
    let Nemesis { world, random } = nemesis;
    world.executor.trace().count("small drives");
    let (faults, limits) = (world.disk.faults(), &world.plan.limits);
    faults.heal();
    nemesis.restart_if_halted().await;
    let (reserve, segment) = (limits.free_bytes_min, limits.segment_file_bytes());
    let shards = world.plan.shards as u64;
    // The host is to know from its start on how little room there is; and what waits then is to be dealt with it.
    for _ in 0..3 {
        nemesis.end_epoch();
        nemesis.attend(Duration::from_secs(1)).await;
    }
    let promised = world.open_host().map_or(0, |host| host.shared.ledger.promised());
    nemesis.crash(Crash::Kill);
    // What the host has at hand and in use already is not part of it.
    let most = if random.percent(50) { 2 * segment } else { (shards + 5) * segment };
    let room = reserve + promised + random.between(2 * SLACK_BYTES, most);
    let capacity = world.disk.used() + room;
    faults.capacity.set(capacity);
    let free = || capacity.saturating_sub(world.disk.used());
    nemesis.start();
    crowd(nemesis);
    let mut life = None;
    // The first life that came up; the next one has other premises.
    let mut met = false;
    let until = world.executor.now() + nanos(Duration::from_secs(random.between(2, 25)));
    while world.executor.now() < until {
        nemesis.attend(LOOK_EVERY).await;
        if life.is_none() && !met {
            life = world.open_host().map(Life::new);
            met = life.is_some();
        }
        let Some(life) = current(nemesis, &mut life) else { continue };
        if life.host.urgent.get() > 0 {
            world.check(Err(
                "batches wait in memory for a segment, and only the reserve has room for it".to_owned()
            ));
        }
        if free() + SLACK_BYTES < reserve {
            world.check(Err(format!("{} bytes are free, and {reserve} are to be kept free", free())));
        }
        if life.host.dealing_lacked.get() > LAST_BLOCKS {
            world.check(Err("dealing waits for room that nobody else has taken".to_owned()));
        }
        if random.percent(3) {
            nemesis.end_epoch();
        }
    }
    // What waits is dealt; then segments at hand are all that is not free.
    if current(nemesis, &mut life).is_some() {
        for _ in 0..3 {
            nemesis.end_epoch();
            nemesis.attend(DEALT_AFTER).await;
        }
    }
    let mut refused = None;
    for _ in 0..FOR_GOOD_AFTER.as_millis() / LOOK_EVERY.as_millis() {
        let Some(life) = current(nemesis, &mut life) else { break };
        let promised = life.host.shared.ledger.promised() + to_deal(limits.message_bytes_max as u64 * 2);
        let (free, at_hand) = (free(), life.host.at_hand());
        let enough = (2 * reserve).max(reserve + shards * segment) + promised + SLACK_BYTES;
        if free + at_hand * segment < enough {
            refused = None;
            break;
        }
        if life.host.takes_batches() {
            world.executor.trace().count("small drives that had room again");
            refused = None;
            break;
        }
        refused = Some(format!(
            "batches are refused for good: {free} bytes are free, {promised} promised, {at_hand} segments at hand"
        ));
        nemesis.attend(LOOK_EVERY).await;
    }
    if let Some(what) = refused {
        world.check(Err(what));
    }
    faults.heal();
}

/// Clients that fill the drive: of one shard, or of all.
fn crowd(Nemesis { world, random }: &Nemesis) {
    let shard = random.percent(50).then(|| random.place(world.plan.shards));
    for _ in 0..random.between(1, 3) {
        client::start(world, Load::heavy(random.place(200) + 20, shard));
    }
}

/// The host's life that began with the trouble.
struct Life {
    host: Rc<Host>,
}

impl Life {
    fn new(host: Rc<Host>) -> Self {
        Self { host }
    }
}

/// The same life as before; `None` if the host was started again, or is not up.
fn current<'l>(nemesis: &Nemesis, life: &'l mut Option<Life>) -> Option<&'l Life> {
    let host = nemesis.world.open_host();
    if let (Some(host), Some(known)) = (&host, &*life)
        && !Rc::ptr_eq(host, &known.host)
    {
        *life = None;
    }
    host.and(life.as_ref())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("seconds")
}
