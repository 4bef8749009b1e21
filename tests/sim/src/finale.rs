//! When nothing fails any more: everything is stored, dealt, merged, and is what it should be; also after one more
//! crash.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use logtank_engine::ids::IndexCode;
use logtank_engine::index_log::verify_index;
use logtank_engine::io::Transfer;
use logtank_engine::raw_log::{LiveView, verify};

use crate::damage::damage;
use crate::disk::MetadataModel;
use crate::host::{Host, Mail};
use crate::manager;
use crate::nemesis::Nemesis;
use crate::oracle::Crash;
use crate::reader::{Recovered, recover};
use crate::restore;

/// Longest that anything may take when nothing fails.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Sees that all is well.
pub(crate) async fn finale(nemesis: &Nemesis) {
    let world = &nemesis.world;
    nemesis.restart_if_halted().await;
    if !wait(nemesis, "all batches are answered", || world.clients_done.get() == world.clients.get()).await {
        return;
    }
    nemesis.restart_if_halted().await;
    if !dealt(nemesis).await {
        return;
    }
    read_all(nemesis).await;
    if nemesis.random.percent(50) {
        for index in 0..world.plan.codes.len() {
            if let Some(host) = world.open_host() {
                manager::enqueue(world, &host, index).await;
            }
        }
        nemesis.attend(Duration::from_secs(nemesis.random.between(1, 90))).await;
        read_all(nemesis).await;
    }
    verify_all(nemesis, false).await;
    let crash = if nemesis.random.percent(60) { Crash::Power } else { Crash::Kill };
    nemesis.restart(crash).await;
    if !wait(nemesis, "the host is up again", || world.open_host().is_some()).await {
        return;
    }
    read_all(nemesis).await;
    verify_all(nemesis, false).await;
    let known = world.oracle.borrow_mut().all_known();
    world.check(known);
    if nemesis.random.percent(40) {
        restore::restore(nemesis).await;
    }
    if world.plan.menu.flips {
        damage(nemesis).await;
    }
}

async fn wait(nemesis: &Nemesis, what: &str, done: impl Fn() -> bool) -> bool {
    let world = &nemesis.world;
    // Clients that write slowly take longer.
    let patience = if world.plan.patient { 20 * PATIENCE } else { PATIENCE };
    let until = world.executor.now() + u64::try_from(patience.as_nanos()).expect("minutes");
    while !done() {
        if world.executor.now() > until {
            world.check(Err(format!("nothing fails any more, but it does not come to it that {what}")));
            return false;
        }
        nemesis.attend(LOOK_EVERY).await;
    }
    true
}

/// Waits until everything is dealt and archived.
pub(crate) async fn dealt(nemesis: &Nemesis) -> bool {
    let world = &nemesis.world;
    let until = world.executor.now() + u64::try_from(PATIENCE.as_nanos()).expect("minutes");
    loop {
        if let Some(host) = world.open_host() {
            host.ports.iter().for_each(|port| port.post(Mail::Seal));
            let called: Rc<Host> = host.clone();
            let look = async move { LiveView::look(&called.store(), Transfer::Cached).await };
            if let Some(Ok(view)) = world.within_host(look).await
                && view.epochs.is_empty()
            {
                return true;
            }
        }
        if world.executor.now() > until {
            let live: Vec<_> = world
                .disk
                .files()
                .into_iter()
                .filter(|(path, _)| path.starts_with("/data/raw/live"))
                .collect();
            world.check(Err(format!("nothing fails any more, but not everything is dealt: {live:?}")));
            return false;
        }
        nemesis.restart_if_halted().await;
        nemesis.attend(LOOK_EVERY).await;
    }
}

/// Recovers every index.
async fn read_all(nemesis: &Nemesis) {
    let world = &nemesis.world;
    for index in 0..world.plan.codes.len() {
        let mut last = Recovered::Broken;
        for _ in 0..10 {
            last = recover(world, index, Duration::ZERO, &nemesis.random).await;
            if last == Recovered::Whole {
                break;
            }
        }
        if last != Recovered::Whole {
            world.check(Err(format!("nothing fails any more, but an index can't be recovered: {last:?}")));
        }
    }
}

/// How much `verify` finds; without flipped bits that must be nothing.
pub(crate) async fn verify_all(nemesis: &Nemesis, flipped: bool) -> usize {
    let world = &nemesis.world;
    let Some(host) = world.open_host() else { return 0 };
    let (codes, limits) = (world.plan.codes.clone(), world.plan.limits.clone());
    let history_forgets = world.plan.metadata == MetadataModel::Posix && world.power_cuts.get() > 0;
    let look = async move {
        let mut findings: Vec<String> = match verify(&host.store()).await {
            Ok(report) => {
                // Where a power cut may take both names of what was just moved to history, it does.
                let gaps = report.gaps.iter().filter(|_| !history_forgets).map(ToString::to_string);
                report.findings.iter().map(ToString::to_string).chain(gaps).collect()
            }
            Err(error) => vec![error.to_string()],
        };
        let undealt = logtank_engine::jobs::undealt(&host.store()).await.unwrap_or_default();
        for code in codes {
            let code = IndexCode::new(code.as_bytes()).expect("a good name");
            match verify_index(&host.store(), &code, &limits, &undealt).await {
                Ok(report) => findings.extend(report.findings.iter().map(ToString::to_string)),
                Err(error) if error.is_not_found() => {}
                Err(error) => findings.push(error.to_string()),
            }
        }
        findings
    };
    let findings = world.within_host(look).await.unwrap_or_default();
    if !flipped && !findings.is_empty() {
        world.check(Err(format!("verify finds damage that nobody did: {findings:?}")));
    }
    findings.len()
}

/// Flips a bit of a published file: it must be found, and never served.
pub(crate) async fn flip(nemesis: &Nemesis) {
    let (world, random) = (&nemesis.world, &nemesis.random);
    let published = |path: &Path| {
        let text = path.to_string_lossy();
        text.starts_with("/data/indexes") && (text.contains("/segments/") || text.contains("/optimized/"))
    };
    let all = world.disk.files();
    // A sidecar whose segment is gone says nothing about anything; a power cut while both are being removed may also leave
    // a segment without its checksums, which nobody reads.
    let of_nothing = |path: &Path| {
        let text = path.to_string_lossy();
        let other = text.strip_suffix(".sum").map_or_else(|| format!("{text}.sum"), str::to_owned);
        !all.iter().any(|(path, _)| *path == Path::new(&other))
    };
    let files: Vec<_> =
        all.iter().filter(|(path, len)| published(path) && *len > 0 && !of_nothing(path)).cloned().collect();
    if files.is_empty() {
        return;
    }
    let (path, len) = random.pick(&files);
    let byte = random.place(*len);
    world.flipped.set(true);
    world.executor.trace().count("bits flipped");
    world.executor.trace().note("flip", &path.to_string_lossy(), byte as u64);
    world.disk.flip(path, byte, u32::try_from(random.below(8)).expect("a bit"));
    // A host that runs may have removed it since, damaged or not.
    let is_there = || world.disk.files().iter().any(|(there, _)| there == path);
    if verify_all(nemesis, true).await == 0 && is_there() {
        world.check(Err(format!("verify does not find a flipped bit in byte {byte} of {}", path.display())));
    }
    for index in 0..world.plan.codes.len() {
        // Whole and right, or an error: the read checks itself.
        recover(world, index, Duration::ZERO, random).await;
    }
}
