//! The demonstration, step by step.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use indicatif::{HumanBytes, HumanCount};
use logtank_wire::client::{request, response};
use logtank_wire::info::{IndexLogInfo, RawLogInfo};

use super::Interrupt;
use super::host::Host;
use super::load::{BATCH_RECORDS, CONNECTIONS, Control, INDEXES, Writer, index_name};
use super::model::{Index, differences};
use super::recovery::recover;
use crate::client::{CallError, Connection, Encryption};

/// For dealing and optimizing what the load left.
const BACKGROUND_PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions to the manager, who answers and does not call.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Runs all steps.
///
/// # Errors
/// The first thing that could not be done or was not right.
pub(super) fn run(data: &Path, load_for: Duration, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut host = Host::new(data)?;
    let took = host.start()?;
    say("start", &format!("a fresh host in {}, ready after {}", data.display(), millis(took)));
    say("", &format!("writer {}, reader {}, manager {}", host.writer(), host.reader(), host.manager()));

    let mut writers: Vec<Writer> = (0..CONNECTIONS).map(Writer::new).collect();
    say(
        "load",
        &format!(
            "{CONNECTIONS} connections write batches of {BATCH_RECORDS} additions, updates and deletions to {INDEXES} indexes"
        ),
    );
    let half = load_for / 2;
    load(&mut host, &mut writers, half, AtTheEnd::Kill, interrupt)?;
    let in_doubt = writers.iter().filter(|writer| writer.in_doubt.is_some()).count();
    say("kill -9", &format!("in the middle of it; {in_doubt} batches had been sent and not answered"));

    let took = host.start()?;
    say("start", &format!("ready after {}; recovering all indexes", millis(took)));
    let kept = resolve(&host, &mut writers)?;
    say(
        "",
        &format!(
            "every acknowledged change is there; of the {in_doubt} unanswered batches, {kept} are there, whole"
        ),
    );

    load(&mut host, &mut writers, half, AtTheEnd::Finish, interrupt)?;
    background(&host, interrupt)?;
    check(&host, &writers, "after dealing, sorting and optimizing")?;

    host.stop()?;
    verify(data)?;
    say("verify", "stopped; every byte on disk checks out");
    Ok(())
}

fn say(step: &str, what: &str) {
    crate::output::line(format_args!("{step:<9} {what}"));
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtTheEnd {
    Kill,
    Finish,
}

/// Lets all connections write for a while; then kills the host under them, or lets them finish.
fn load(
    host: &mut Host,
    writers: &mut [Writer],
    load_for: Duration,
    at_the_end: AtTheEnd,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let (control, address, began) = (Control::default(), host.writer().to_owned(), Instant::now());
    let outcome = std::thread::scope(|scope| {
        let running: Vec<_> =
            writers.iter_mut().map(|writer| scope.spawn(|| writer.write(&address, &control))).collect();
        let mut outcome = Ok(());
        while outcome.is_ok() && began.elapsed() < load_for {
            std::thread::sleep(Duration::from_millis(20).min(load_for));
            outcome = interrupt.check();
        }
        if outcome.is_ok() && at_the_end == AtTheEnd::Kill {
            outcome = host.kill();
        }
        control.over.store(true, Ordering::Relaxed);
        for writer in running {
            let written = writer.join().map_err(|_| anyhow!("a writer has panicked"))?;
            outcome = outcome.and(written);
        }
        outcome
    });
    outcome?;
    let took = began.elapsed().as_secs_f64();
    let batches = control.acknowledged_batches.load(Ordering::Relaxed);
    ensure!(batches > 0, "not one batch was acknowledged");
    let latencies = writers.iter_mut().flat_map(|writer| writer.latencies.drain(..)).collect();
    report_load(batches, took, latencies);
    Ok(())
}

/// What so many batches took, each of them and all.
fn report_load(batches: u64, took: f64, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let quantile = |of: usize| millis(latencies[(latencies.len() * of / 1000).min(latencies.len() - 1)]);
    let records = batches * BATCH_RECORDS as u64;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate, for people"
    )]
    let rate = (records as f64 / took) as u64;
    say(
        "",
        &format!(
            "{} records acknowledged in {took:.1} s: {} a second",
            HumanCount(records),
            HumanCount(rate)
        ),
    );
    say(
        "",
        &format!(
            "a batch was answered after {} (half of them), {} (99 %), {} (99.9 %)",
            quantile(500),
            quantile(990),
            quantile(999)
        ),
    );
}

/// All that was acknowledged, by index.
fn expected(writers: &[Writer]) -> Vec<Index> {
    let mut all = vec![Index::new(); INDEXES];
    for writer in writers {
        for (index, own) in all.iter_mut().zip(&writer.acknowledged) {
            index.extend(own.iter().map(|(docid, document)| (docid.clone(), document.clone())));
        }
    }
    all
}

/// Recovers everything and finds out which batches in doubt are there: each must be there whole or not at all. Returns
/// how many are.
fn resolve(host: &Host, writers: &mut [Writer]) -> anyhow::Result<usize> {
    let mut kept = 0;
    let recovered: Result<Vec<_>, CallError> =
        (0..INDEXES).map(|index| recover(host.reader(), &index_name(index))).collect();
    let recovered = recovered.context("recovering an index after the kill")?;
    for (number, writer) in writers.iter_mut().enumerate() {
        let Some((index, with)) = writer.in_doubt.take() else { continue };
        // Docids begin with their writer's number.
        let prefix = format!("{number}-");
        let own = recovered[index].index.iter().filter(|(docid, _)| docid.starts_with(&prefix));
        let own: Index = own.map(|(docid, document)| (docid.clone(), document.clone())).collect();
        if own == with {
            writer.acknowledged[index] = with;
            kept += 1;
        }
    }
    for (index, (expected, recovered)) in expected(writers).iter().zip(&recovered).enumerate() {
        let wrong = differences(expected, &recovered.index);
        ensure!(wrong == 0, "{wrong} documents of {} are not as they were acknowledged", index_name(index));
    }
    Ok(kept)
}

/// Recovers everything and compares.
fn check(host: &Host, writers: &[Writer], when: &str) -> anyhow::Result<()> {
    let (mut documents, mut records, mut bytes, mut pages, mut took) = (0, 0, 0, 0, Duration::ZERO);
    for (index, expected) in expected(writers).iter().enumerate() {
        let name = index_name(index);
        let recovered = recover(host.reader(), &name).with_context(|| format!("recovering {name} {when}"))?;
        let wrong = differences(expected, &recovered.index);
        ensure!(wrong == 0, "{when}, {wrong} documents of {name} are not as they were acknowledged");
        documents += expected.len() as u64;
        records += recovered.records;
        bytes += recovered.bytes;
        pages += recovered.pages;
        took += recovered.took;
    }
    say(
        "recover",
        &format!(
            "{INDEXES} indexes: {} records in {pages} pages, {} in {}",
            HumanCount(records),
            HumanBytes(bytes),
            millis(took)
        ),
    );
    say("", &format!("all {} documents are as they were acknowledged", HumanCount(documents)));
    Ok(())
}

/// Waits until everything is dealt, has every index optimized, and waits until that is done.
fn background(host: &Host, interrupt: &Interrupt) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut manager = Connection::open(host.manager(), Duration::from_secs(30), &Encryption::default())?;
    let raw = |manager: &mut Connection| -> anyhow::Result<RawLogInfo> {
        Ok(manager.call(request::get_raw_log_info, response::raw_log_info)?)
    };
    until("dealing", began, interrupt, || Ok(raw(&mut manager)?.undealt_segments.is_empty()))?;
    let info = |manager: &mut Connection, index: usize| -> anyhow::Result<IndexLogInfo> {
        let name = index_name(index);
        Ok(manager.call(
            |out, dialect, sequence| request::get_index_log_info(out, dialect, sequence, name.as_bytes()),
            response::index_log_info,
        )?)
    };
    let mut unsorted = 0;
    for index in 0..INDEXES {
        unsorted += info(&mut manager, index)?.unsorted_segments.len();
    }
    say(
        "deal",
        &format!(
            "everything received is dealt, {unsorted} unsorted segments; {} after the load",
            millis(began.elapsed())
        ),
    );
    let began = Instant::now();
    for index in 0..INDEXES {
        let name = index_name(index);
        manager.call(
            |out, dialect, sequence| {
                request::enqueue_for_optimization(out, dialect, sequence, name.as_bytes(), 1, 1.0);
            },
            response::void,
        )?;
    }
    let mut records = 0;
    for index in 0..INDEXES {
        until("optimizing", began, interrupt, || {
            let info = info(&mut manager, index)?;
            Ok(info.unoptimized_segments == 0 && info.optimized_record_count > 0)
        })?;
        records += u64::try_from(info(&mut manager, index)?.optimized_record_count).unwrap_or(0);
    }
    say(
        "optimize",
        &format!("sorted and merged to {} records in {}", HumanCount(records), millis(began.elapsed())),
    );
    Ok(())
}

fn until(
    what: &str,
    began: Instant,
    interrupt: &Interrupt,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    while !done()? {
        interrupt.check()?;
        ensure!(began.elapsed() < BACKGROUND_PATIENCE, "{what} did not end within {BACKGROUND_PATIENCE:?}");
        std::thread::sleep(ASK_EVERY);
    }
    Ok(())
}

fn verify(data: &Path) -> anyhow::Result<()> {
    let output = std::process::Command::new(std::env::current_exe()?).arg("verify").arg(data).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "`logtank verify` found damage:\n{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
