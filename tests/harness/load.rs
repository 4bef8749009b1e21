//! A load that knows the right answer.
//!
//! Each worker owns its documents, so the order of changes to a document is the order in which its worker got
//! replies. A batch whose reply never came is in doubt: it may be there or not, but whole. Each batch sets one
//! variable of a marker document per index it touches, so the recovered state itself tells which.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Failure};
use crate::history::{Batch, Fate, History, Sent, Step};
use crate::random::Random;
use crate::thrift::Change;

/// What to send.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub writer: SocketAddr,
    /// Connections, each with a worker.
    pub workers: u32,
    /// Records in all, beside the markers.
    pub records: u64,
    /// Indexes, named `index-N`.
    pub indexes: u32,
    /// Records of a batch, at most.
    pub batch: u32,
    /// Documents that a worker has in an index.
    pub documents: u32,
    /// Bytes of a document's text.
    pub text: usize,
    /// First part of the seed of everything.
    pub seed: u64,
    /// How long a worker rests after each batch.
    pub pause: Duration,
}

/// Progress of a running load.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records acknowledged so far.
    pub acknowledged: AtomicU64,
    /// Set to end the load early.
    pub stop: AtomicBool,
}

pub(crate) fn index_name(index: u32) -> String {
    format!("index-{index}")
}

pub(crate) fn docid(worker: u32, document: u32) -> String {
    // Some beyond the basic plane, where the order of docids is not that of their bytes.
    if document % 7 == 3 { format!("😀-{worker}-{document}") } else { format!("d-{worker}-{document}") }
}

pub(crate) fn marker(worker: u32) -> String {
    format!("marker-{worker}")
}

/// The change that `content` stands for.
pub(crate) fn change(load: &Load, worker: u32, index: u32, step: Step) -> Change {
    let mut random = Random::new(step.content);
    let mut change =
        Change { index: index_name(index), docid: docid(worker, step.document), ..Change::default() };
    match random.below(10) {
        0 => change.deleted = true,
        1 | 2 => {
            change.variables =
                Some(vec![(i32::try_from(random.below(4)).expect("small"), random.below(1000) as f64)])
        }
        3 => {
            change.categories =
                Some(vec![(format!("c{}", random.below(3)), format!("v{}", random.below(100)))])
        }
        kind => {
            let unit = format!("{:016x}", step.content);
            let text = unit.repeat(load.text.div_ceil(16))[..load.text].to_owned();
            change.fields = Some(vec![("text".into(), text), ("timestamp".into(), step.batch.to_string())]);
            if kind < 7 {
                change.variables = Some(vec![(0, random.below(1000) as f64), (9, -1.5)]);
            }
            if kind == 9 {
                // Delete, then add, in one record.
                change.deleted = true;
            }
        }
    }
    change
}

impl Load {
    /// Sends it all; retries over every loss of the connection, as clients do. Half of the batches in doubt are
    /// sent again, the others given up.
    ///
    /// # Panics
    /// If the host refuses a batch, or can't be reached for a minute.
    #[must_use]
    pub fn run(&self, progress: &Progress) -> History {
        let workers = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.workers).map(|worker| scope.spawn(move || self.work(worker, progress))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a worker failed")).collect()
        });
        History::new(self.clone(), workers)
    }

    fn work(&self, worker: u32, progress: &Progress) -> Sent {
        let mut random = Random::new(self.seed ^ (u64::from(worker) << 40));
        let mut sent = Sent::default();
        let mut client = None;
        while progress.acknowledged.load(Ordering::Relaxed) < self.records
            && !progress.stop.load(Ordering::Relaxed)
        {
            let batch = u32::try_from(sent.batches.len()).expect("few");
            let (changes, touched, steps) = self.batch(worker, batch, &mut random);
            for (index, step) in &steps {
                sent.steps.entry(*index).or_default().push(*step);
            }
            let sent_at = Instant::now();
            let fate = self.deliver(&mut client, &changes, &mut random, progress);
            sent.batches.push(Batch { fate, touched, sent_at, answered_at: Instant::now() });
            if fate == Fate::Acknowledged {
                progress.acknowledged.fetch_add(steps.len() as u64, Ordering::Relaxed);
            }
            if !self.pause.is_zero() {
                std::thread::sleep(self.pause);
            }
        }
        sent
    }

    fn batch(
        &self,
        worker: u32,
        batch: u32,
        random: &mut Random,
    ) -> (Vec<Change>, Vec<u32>, Vec<(u32, Step)>) {
        let home = u32::try_from(random.below(self.indexes.into())).expect("small");
        let mixed = random.chance(20);
        let mut touched = BTreeSet::new();
        let mut steps = Vec::new();
        for _ in 0..=random.below(self.batch.into()) {
            let index =
                if mixed { u32::try_from(random.below(self.indexes.into())).expect("small") } else { home };
            let document = u32::try_from(random.below(self.documents.into())).expect("small");
            steps.push((index, Step { batch, document, content: random.next() }));
            touched.insert(index);
        }
        let mut changes: Vec<_> =
            steps.iter().map(|&(index, step)| change(self, worker, index, step)).collect();
        for &index in &touched {
            changes.push(Change {
                index: index_name(index),
                docid: marker(worker),
                variables: Some(vec![(i32::try_from(batch).expect("few"), 1.0)]),
                ..Change::default()
            });
        }
        (changes, touched.into_iter().collect(), steps)
    }

    fn deliver(
        &self,
        client: &mut Option<Client>,
        changes: &[Change],
        random: &mut Random,
        progress: &Progress,
    ) -> Fate {
        let mut tried = false;
        loop {
            let Some(mut connection) = client.take().or_else(|| self.connect(progress)) else {
                return Fate::InDoubt;
            };
            match connection.send_batch(changes) {
                Ok(()) => {
                    *client = Some(connection);
                    return Fate::Acknowledged;
                }
                Err(Failure::Refused(why)) => panic!("the host refused a good batch: {why}"),
                Err(Failure::Connection(_)) if !tried && random.chance(50) => return Fate::InDoubt,
                Err(Failure::Connection(_)) => tried = true,
            }
        }
    }

    /// A connection, or `None` if the load was ended while the host could not be reached.
    fn connect(&self, progress: &Progress) -> Option<Client> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match Client::connect(self.writer) {
                Ok(client) => return Some(client),
                Err(_) if progress.stop.load(Ordering::Relaxed) => return None,
                // Nothing tells a client when a host is back but trying.
                Err(error) => {
                    assert!(Instant::now() < deadline, "the host is not reachable: {error}");
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}
