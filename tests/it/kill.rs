//! `kill -9` under load: every acknowledged batch is there afterwards, whole, in order; then `verify` is clean.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logtank_tests::client::{Client, Failure};
use logtank_tests::history::History;
use logtank_tests::host::{Host, run};
use logtank_tests::load::{Load, Progress};
use logtank_tests::random::Random;
use logtank_tests::thrift::{Change, enqueue, index_code};
use logtank_tests::{needs, report};

struct Plan {
    arguments: Vec<&'static str>,
    records: u64,
    indexes: u32,
    workers: u32,
    kills: u32,
    text: usize,
    /// How long a worker rests after each batch.
    pause: Duration,
    beside: bool,
}

fn survives(plan: &Plan) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut host = Host::started(&data, &plan.arguments);
    let (reader, manager) = (host.reader(), host.manager());
    let load = Load {
        writer: host.writer(),
        workers: plan.workers,
        records: plan.records,
        indexes: plan.indexes,
        batch: 20,
        documents: 20,
        text: plan.text,
        seed: 7,
        pause: plan.pause,
    };
    let progress = Progress::default();
    let over = AtomicBool::new(false);
    let history = std::thread::scope(|scope| {
        let beside = plan.beside.then(|| scope.spawn(|| trouble(&load, reader, manager, &over)));
        let running = scope.spawn(|| {
            let history = load.run(&progress);
            over.store(true, Ordering::Release);
            history
        });
        let mut random = Random::new(99);
        for kill in 1..=plan.kills {
            // Spread over the load, by what was acknowledged rather than by time.
            let due = plan.records * u64::from(kill) / u64::from(plan.kills + 1) + random.below(50);
            while progress.acknowledged.load(Ordering::Relaxed) < due && !running.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            host.kill();
            host.start();
        }
        let history = running.join().unwrap();
        if let Some(beside) = beside {
            beside.join().unwrap();
        }
        history
    });
    host.kill();
    host.start();
    check(&history, reader);
    host.stop();
    let path = data.to_str().unwrap();
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(0), "{findings}\n{log}");
    let (code, _, log) = run(&["drain", "--data", path], b"");
    assert_eq!(code, Some(0), "{log}");
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(0), "{findings}\n{log}");
    host.start();
    check(&history, reader);
}

fn check(history: &History, reader: std::net::SocketAddr) {
    let mut client = Client::connect(reader).unwrap();
    let recovered: BTreeMap<_, _> =
        history.indexes().map(|(index, name)| (index, client.recover(&name).unwrap().0)).collect();
    let wrong = history.check(&recovered);
    let doubt = history.batches_in_doubt();
    assert!(
        wrong.is_empty(),
        "{} wrong ({doubt} in doubt), first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
}

/// Reads, optimizes and deletes while the load runs; what it is told must be an answer or a broken connection.
fn trouble(load: &Load, reader: std::net::SocketAddr, manager: std::net::SocketAddr, over: &AtomicBool) {
    let mut random = Random::new(5);
    let mut round = 0u64;
    while !over.load(Ordering::Acquire) {
        round += 1;
        let outcome = one_round(load, reader, manager, round, &mut random);
        match outcome {
            // The host is down just now; nothing but time brings it back.
            Err(Failure::Connection(_)) => std::thread::sleep(Duration::from_millis(20)),
            Err(Failure::Refused(why)) => panic!("refused: {why}"),
            Ok(()) => {}
        }
    }
}

fn one_round(
    load: &Load,
    reader: std::net::SocketAddr,
    manager: std::net::SocketAddr,
    round: u64,
    random: &mut Random,
) -> Result<(), Failure> {
    let index = format!("index-{}", random.below(load.indexes.into()));
    Client::connect(reader)?.recover(&index)?;
    let mut manager = Client::connect(manager)?;
    manager.call("enqueue_for_optimization", &enqueue(&index, 1, 1.0))?;
    manager.call("get_index_log_info", &index_code(&index))?;
    manager.call("get_raw_log_info", &[])?;
    // An index of its own: written, deleted, written anew; only the new is there.
    let mut writer = Client::connect(load.writer)?;
    let add = |docid: &str| Change {
        index: "deleted".into(),
        docid: docid.into(),
        fields: Some(vec![("t".into(), "x".into())]),
        ..Change::default()
    };
    writer.send_batch(&[add(&format!("old-{round}"))])?;
    manager.call("delete_index", &index_code("deleted"))?;
    let before = Client::connect(reader)?.recover("deleted")?.0;
    assert!(before.is_empty(), "deleted, yet {:?} is there", before.keys());
    writer.send_batch(&[add(&format!("new-{round}"))])?;
    let after = Client::connect(reader)?.recover("deleted")?.0;
    assert_eq!(after.into_keys().collect::<Vec<_>>(), [format!("new-{round}").into_bytes()]);
    Ok(())
}

#[test]
fn kill_9_under_load_loses_nothing() {
    let (records, kills) = if needs::is_long() { (300_000, 10) } else { (20_000, 4) };
    survives(&Plan {
        arguments: vec!["--shards", "2"],
        records,
        indexes: 50,
        workers: 16,
        kills,
        text: 300,
        pause: Duration::ZERO,
        beside: false,
    });
}

#[test]
fn kill_9_while_everything_goes_on_at_once_loses_nothing() {
    let (records, kills) = if needs::is_long() { (200_000, 10) } else { (15_000, 3) };
    let arguments = vec!["--shards", "2", "--epoch-max-age", "200ms"];
    survives(&Plan {
        arguments,
        records,
        indexes: 10,
        workers: 8,
        kills,
        text: 300,
        pause: Duration::ZERO,
        beside: true,
    });
}

#[test]
fn kill_9_with_sync_always_loses_nothing() {
    let arguments = vec!["--shards", "1", "--sync", "always"];
    survives(&Plan {
        arguments,
        records: 10_000,
        indexes: 10,
        workers: 8,
        kills: 2,
        text: 100,
        pause: Duration::ZERO,
        beside: false,
    });
}

#[test]
fn kill_9_with_buffered_and_with_direct_appends_loses_nothing() {
    for mode in ["buffered", "direct"] {
        let arguments = vec!["--append", mode];
        survives(&Plan {
            arguments,
            records: 8_000,
            indexes: 5,
            workers: 8,
            kills: 2,
            text: 300,
            pause: Duration::ZERO,
            beside: false,
        });
    }
}

/// What the host has to show before it is called done: a million records, twenty kills. Minutes.
#[test]
#[ignore = "takes minutes: run with --include-ignored, in release"]
fn a_million_records_and_twenty_kills() {
    survives(&Plan {
        arguments: vec!["--shards", "2"],
        records: 1_000_000,
        indexes: 200,
        workers: 64,
        kills: 20,
        text: 900,
        pause: Duration::ZERO,
        beside: false,
    });
}

/// `LOGTANK_TEST_KILLS` sets how many.
#[test]
#[ignore = "takes many minutes: run with --include-ignored, in release"]
fn two_hundred_kills_while_everything_goes_on_at_once_lose_nothing() {
    let kills = needs::number("LOGTANK_TEST_KILLS", 200);
    survives(&Plan {
        // Short epochs leave many files: without a bound, gigabytes within a minute.
        arguments: vec!["--shards", "2", "--epoch-max-age", "300ms", "--history-max-bytes", "512MiB"],
        records: 1_500 * u64::from(kills),
        indexes: 20,
        workers: 16,
        kills,
        text: 300,
        // So that a life is long enough for some of its epochs to be dealt: files would pile up otherwise.
        pause: Duration::from_millis(50),
        beside: true,
    });
    report::line(&format!(
        "{{\"test\":\"kill\",\"kills\":{kills},\"records\":{}}}",
        1_500 * u64::from(kills)
    ));
}

#[test]
#[ignore = "takes minutes: run with --include-ignored, in release"]
fn a_million_records_and_twenty_kills_while_everything_goes_on() {
    survives(&Plan {
        arguments: vec!["--shards", "2", "--epoch-max-age", "1s"],
        records: 1_000_000,
        indexes: 200,
        workers: 64,
        kills: 20,
        text: 900,
        pause: Duration::ZERO,
        beside: true,
    });
}
