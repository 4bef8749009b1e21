//! Some minutes of mixed load, a kill in the middle, a check, and everything deleted at the end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logtank_tests::client::{Client, Failure};
use logtank_tests::host::Host;
use logtank_tests::load::{Load, Progress};
use logtank_tests::random::Random;
use logtank_tests::thrift::{enqueue, index_code};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    pub(crate) number: u64,
    pub(crate) length: Duration,
}

impl Cycle {
    /// Runs it; returns how many records were acknowledged.
    ///
    /// # Panics
    /// If anything acknowledged is missing or wrong at its end.
    pub(crate) fn run(self, host: &mut Host) -> u64 {
        let load = Load {
            writer: host.writer(),
            workers: 8,
            records: u64::MAX,
            indexes: 20,
            batch: 20,
            documents: 50,
            text: 400,
            seed: self.number + 1,
            pause: Duration::from_millis(20),
        };
        let (reader, manager) = (host.reader(), host.manager());
        let (progress, over) = (Progress::default(), AtomicBool::new(false));
        let end = Instant::now() + self.length;
        let history = std::thread::scope(|scope| {
            let running = scope.spawn(|| load.run(&progress));
            scope.spawn(|| {
                let mut random = Random::new(self.number);
                while !over.load(Ordering::Acquire) {
                    match beside(reader, manager, &mut random, load.indexes) {
                        // It is being killed just now.
                        Ok(()) | Err(Failure::Connection(_)) => {}
                        Err(Failure::Refused(why)) => panic!("refused: {why}"),
                    }
                    std::thread::sleep(Duration::from_millis(200));
                }
            });
            std::thread::sleep(self.length / 2);
            host.kill();
            host.start();
            std::thread::sleep(end.saturating_duration_since(Instant::now()));
            progress.stop.store(true, Ordering::Relaxed);
            over.store(true, Ordering::Release);
            running.join().expect("the load runs")
        });
        let mut client = Client::connect(reader).expect("the host runs");
        let recovered: BTreeMap<_, _> = history
            .indexes()
            .map(|(index, name)| (index, client.recover(&name).expect("it is recovered").0))
            .collect();
        let wrong = history.check(&recovered);
        assert!(wrong.is_empty(), "{} wrong, first: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        let mut manager = Client::connect(manager).expect("the host runs");
        for (_, name) in history.indexes() {
            manager.call("delete_index", &index_code(&name)).expect("it is deleted");
        }
        progress.acknowledged.load(Ordering::Relaxed)
    }
}

fn beside(
    reader: std::net::SocketAddr,
    manager: std::net::SocketAddr,
    random: &mut Random,
    indexes: u32,
) -> Result<(), Failure> {
    let index = format!("index-{}", random.below(indexes.into()));
    let mut manager = Client::connect(manager)?;
    manager.call("enqueue_for_optimization", &enqueue(&index, 1, 1.0))?;
    manager.call("get_index_log_info", &index_code(&index))?;
    Client::connect(reader)?.recover(&index)?;
    Ok(())
}
