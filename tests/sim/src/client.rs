//! Clients that write: each owns its documents, and has one batch at a time under way.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::or;
use logtank_wire::client::{request, response};
use logtank_wire::inbound::{Inbound, InboundLimits};
use logtank_wire::message::Dialect;

use crate::host::{Host, Link, Mail};
use crate::oracle::{BatchId, Record};
use crate::plan::Plan;
use crate::random::Random;
use crate::run::World;
use crate::world::Group;

const DIALECT: Dialect = Dialect { strict: true, framed: false };
/// As API servers have it.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Beyond this, a batch gets no further record: with a last one it is still no longer than a message may be.
const BATCH_BYTES_MAX: usize = 1_400;

/// What a client does.
pub(crate) struct Load {
    batches: usize,
    text_bytes_max: u64,
    /// Without pauses.
    busy: bool,
    /// All on one shard; else on any.
    shard: Option<usize>,
}

impl Load {
    /// What the plan says.
    pub(crate) const fn usual(plan: &Plan) -> Self {
        Self { batches: plan.batches, text_bytes_max: plan.text_bytes_max, busy: false, shard: None }
    }

    /// What fills a drive.
    pub(crate) const fn heavy(batches: usize, shard: Option<usize>) -> Self {
        Self { batches, text_bytes_max: 2_000, busy: true, shard }
    }
}

struct Client {
    world: Rc<World>,
    number: usize,
    load: Load,
    random: Random,
    connection: Option<Connection>,
    sequence: i32,
    /// How often a document was given up, since nobody knows when an old batch for it may still be stored.
    generations: BTreeMap<(usize, u64), u64>,
}

struct Connection {
    link: Link,
    shard: usize,
    host: Rc<Host>,
    inbound: Inbound,
}

enum Answer {
    Stored,
    Refused,
    /// None came.
    Silence,
}

/// One more client.
pub(crate) fn start(world: &Rc<World>, load: Load) {
    let number = world.clients.replace(world.clients.get() + 1);
    world.executor.spawn(Group::World, client(world.clone(), number, load));
}

/// Sends all its batches.
async fn client(world: Rc<World>, number: usize, load: Load) {
    let random = Random::new(world.plan.seed, &format!("client {number}"));
    let mut client = Client {
        world: world.clone(),
        number,
        load,
        random,
        connection: None,
        sequence: 0,
        generations: BTreeMap::new(),
    };
    for _ in 0..client.load.batches {
        client.pause().await;
        client.batch().await;
    }
    client.disconnect();
    world.clients_done.set(world.clients_done.get() + 1);
}

impl Client {
    async fn pause(&self) {
        let millis = match self.random.below(10) {
            0..=4 => 0,
            5..=7 => self.random.below(20),
            8 => self.random.below(400),
            _ => self.random.below(3_000),
        };
        let slower = match (self.load.busy, self.world.plan.patient) {
            (true, _) => 0,
            (false, true) => 20,
            (false, false) => 1,
        };
        self.world.executor.sleep(Duration::from_millis(slower * millis)).await;
    }

    async fn batch(&mut self) {
        let (documents, parts) = self.make();
        let (batch, records) = self.world.oracle.borrow_mut().batch(parts);
        self.deliver(batch, &records).await;
        if self.world.oracle.borrow().is_doubtful_now(batch) {
            // An earlier sending may be stored at any time from now on, so nothing may be built on these documents.
            for document in documents {
                *self.generations.entry(document).or_default() += 1;
            }
        }
    }

    /// Sends a batch until it is stored or the client gives up.
    async fn deliver(&mut self, batch: BatchId, records: &[Vec<u8>]) {
        loop {
            let Some(host) = self.world.open_host() else {
                self.connection = None;
                self.world.executor.sleep(Duration::from_millis(self.random.between(20, 200))).await;
                continue;
            };
            let attempt = self.send(&host, batch, records);
            match self.answer().await {
                Answer::Stored => {
                    self.world.executor.trace().count("batches acknowledged");
                    let now = self.world.executor.now();
                    return self.world.oracle.borrow_mut().acknowledged(attempt, now);
                }
                Answer::Refused => {
                    self.world.executor.trace().count("batches refused");
                    self.world.oracle.borrow_mut().refused(attempt);
                    self.world.executor.sleep(Duration::from_millis(self.random.between(100, 1_000))).await;
                }
                Answer::Silence => {
                    self.world.executor.trace().count("batches in doubt");
                    self.disconnect();
                    if self.random.percent(30) {
                        return;
                    }
                    self.world.executor.sleep(Duration::from_millis(self.random.below(50))).await;
                }
            }
        }
    }

    fn send(&mut self, host: &Rc<Host>, batch: BatchId, records: &[Vec<u8>]) -> crate::oracle::Attempt {
        let stale = |connection: &Connection| {
            !Rc::ptr_eq(&connection.host, host) || connection.link.is_broken() || self.random.percent(20)
        };
        if self.connection.as_ref().is_none_or(stale) {
            self.disconnect();
            let any = self.random.place(self.world.plan.shards);
            let (link, shard) = (Link::default(), self.load.shard.unwrap_or(any));
            host.ports[shard].post(Mail::Connection(link.clone()));
            let inbound = Inbound::new(InboundLimits { message_bytes_max: 1 << 20, depth_max: 16 });
            self.connection = Some(Connection { link, shard, host: host.clone(), inbound });
        }
        self.sequence += 1;
        let connection = self.connection.as_ref().expect("just connected");
        let attempt = self.world.oracle.borrow_mut().sends(batch, connection.shard);
        let mut bytes = Vec::new();
        request::send_batch(&mut bytes, DIALECT, self.sequence, records.iter().map(Vec::as_slice));
        self.world.executor.trace().note("sends", "", batch.0 as u64);
        connection.link.send(&bytes, attempt);
        connection.host.ports[connection.shard].wake();
        attempt
    }

    async fn answer(&mut self) -> Answer {
        let timeout = if self.random.percent(5) { TIMEOUT / 50 } else { TIMEOUT };
        let until = self.world.executor.sleep(timeout);
        let mut answer = Answer::Silence;
        let connection = self.connection.as_mut().expect("something was sent on it");
        let (world, sequence) = (&self.world, self.sequence);
        let reply = async {
            while let Some(bytes) = connection.link.receive().await {
                let mut rest = &bytes[..];
                match connection.inbound.next(&mut rest) {
                    Ok(None) => {}
                    Ok(Some(message)) if message.sequence != sequence => {
                        world.check(Err(format!(
                            "a reply to call {} instead of {sequence}",
                            message.sequence
                        )));
                    }
                    Ok(Some(message)) => {
                        answer =
                            if response::void(&message).is_ok() { Answer::Stored } else { Answer::Refused };
                        return;
                    }
                    Err(error) => world.check(Err(format!("a reply that can't be read: {error}"))),
                }
            }
        };
        or(reply, until).await;
        answer
    }

    fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.link.leave(self.random.percent(50));
            connection.host.ports[connection.shard].wake();
        }
    }

    /// Records of a new batch, by index, and the documents that they are about.
    #[expect(clippy::type_complexity, reason = "taken apart where it is made")]
    fn make(&self) -> (Vec<(usize, u64)>, Vec<(usize, Vec<Record>)>) {
        let (mut documents, mut parts) = (Vec::new(), Vec::new());
        let codes = self.world.plan.codes.len();
        let first = self.random.place(codes);
        let indexes =
            if codes > 1 && self.random.percent(20) { vec![first, (first + 1) % codes] } else { vec![first] };
        let (mut bytes, mut encoded) = (0, Vec::new());
        for index in indexes {
            let mut records = Vec::new();
            for _ in 0..self.random.between(0, 4) {
                // A longer one would be refused.
                if bytes > BATCH_BYTES_MAX {
                    break;
                }
                let slot = self.random.below(self.world.plan.documents);
                let generation = self.generations.get(&(index, slot)).copied().unwrap_or(0);
                documents.push((index, slot));
                let record = self.record(format!("d{}-{slot}-{generation}", self.number));
                record.encode(&self.world.plan.codes[index], &mut encoded);
                bytes = encoded.len();
                records.push(record);
            }
            parts.push((index, records));
        }
        (documents, parts)
    }

    fn record(&self, docid: String) -> Record {
        let random = &self.random;
        let text = || "x".repeat(random.place(usize::try_from(self.load.text_bytes_max).expect("small")));
        let word = || format!("{:x}", random.below(1 << 16));
        let (add, deleted) = (random.percent(50), random.percent(25));
        let fields = add.then(|| {
            let mut fields = BTreeMap::from([("text".to_owned(), format!("{} {}", word(), text()))]);
            if random.percent(30) {
                fields.insert("timestamp".to_owned(), word());
            }
            fields
        });
        let some = |most| (0..random.below(most)).map(|_| random.below(3)).collect::<Vec<_>>();
        let variables =
            some(3).into_iter().map(|number| (number as i32, random.below(1000) as u32)).collect();
        let categories = some(3).into_iter().map(|number| (format!("category {number}"), word())).collect();
        Record { docid, deleted, fields, variables, categories }
    }
}
