//! A client that behaves well, and how long its batches take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::thrift::Change;

pub(super) struct Neighbour {
    latencies: Arc<Mutex<Vec<Duration>>>,
    over: Arc<AtomicBool>,
    running: JoinHandle<usize>,
}

impl Neighbour {
    /// Begins to send small batches, one after the other.
    pub(super) fn new(host: &Host) -> Self {
        let (latencies, over) = (Arc::<Mutex<Vec<Duration>>>::default(), Arc::<AtomicBool>::default());
        let (sink, stop, writer) = (latencies.clone(), over.clone(), host.writer());
        let running = std::thread::spawn(move || {
            let mut client = Client::connect(writer).unwrap();
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                let change =
                    Change { index: "good".into(), docid: format!("d{}", sent % 100), ..Change::default() };
                let begin = Instant::now();
                client.send_batch(&[Change { deleted: true, ..change }]).unwrap();
                sink.lock().unwrap().push(begin.elapsed());
                sent += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            sent
        });
        Self { latencies, over, running }
    }

    /// Waits until so many more batches were answered.
    pub(super) fn wait_for(&self, more: usize) {
        let goal = self.latencies.lock().unwrap().len() + more;
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.latencies.lock().unwrap().len() < goal {
            assert!(Instant::now() < deadline, "a client that behaves well is not served");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The latencies since the last call, sorted.
    pub(super) fn take(&self) -> Vec<Duration> {
        let mut latencies = std::mem::take(&mut *self.latencies.lock().unwrap());
        latencies.sort();
        latencies
    }

    /// Ends it; returns how many batches it sent.
    pub(super) fn stop(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.running.join().expect("every batch was answered")
    }
}

/// In milliseconds.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    match sorted.len() {
        0 => 0.0,
        count => sorted[(count - 1) * percent / 100].as_secs_f64() * 1e3,
    }
}
