//! Measures the shard against a bare echo on the same ring set-up: closed loop, the client on the other processor.
//!
//! ```text
//! cargo run --release -p logtank-os --example echo -- DIR [--connections N] [--records N] [--bytes N] [--seconds S] [--rounds N] [KIND ...]
//! ```
//!
//! KINDs are run in turn in each round, so that what disturbs the machine disturbs all alike:
//! `echo`, or `buffered`/`direct` + `-inline`/`-ring` + `-interval`/`-always`/`-never`, for example `buffered-inline-interval`;
//! behind that, what the host doesn't do: `-hoarded` leaves write-out to the kernel, `-unwritten` takes new files without
//! blocks in place of recycled ones, `-single` writes a frame for each batch, a number is how many writes may be under way;
//! `-spin` behind any of them polls 100 µs before sleeping.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtank_engine::ids::{Epoch, ShardId};
use logtank_engine::io::op::ShardEvent;
use logtank_engine::limits::Limits;
use logtank_engine::metrics::{Histogram, ShardMetrics};
use logtank_engine::raw_log::config::{AppendMode, SyncMode};
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::ShardConfig;
use logtank_os::affinity;
use logtank_os::mailbox::{Mail, Mailbox};
use logtank_os::ring::{RingConfig, ShardLinks, WritePath, run_echo, run_shard};
use logtank_wire::client::request;
use logtank_wire::message::Dialect;
use logtank_wire::record::RecordWriter;
use logtank_wire::reply;
use rustix::event::epoll;

const DIALECT: Dialect = Dialect { strict: true, framed: false };

struct Load {
    receive_buffers: u16,
    receive_buffer_bytes: usize,
    connections: usize,
    records: usize,
    record_bytes: usize,
    time: Duration,
}

struct Outcome {
    requests: u64,
    /// Also those before measuring began.
    requests_ever: u64,
    /// Processor time of the server's thread.
    processor: Duration,
    elapsed: Duration,
    latency: Histogram,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().expect("DIR: a folder on the drive to be measured"));
    let mut load = Load {
        receive_buffers: 128,
        receive_buffer_bytes: 32 * 1024,
        connections: 64,
        records: 1,
        record_bytes: 1024,
        time: Duration::from_secs(2),
    };
    let mut rounds = 5;
    let mut kinds = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<usize>().ok()).expect("a number");
        match argument.as_str() {
            "--buffers" => load.receive_buffers = u16::try_from(number()).expect("a power of two"),
            "--buffer-bytes" => load.receive_buffer_bytes = number(),
            "--connections" => load.connections = number(),
            "--records" => load.records = number(),
            "--bytes" => load.record_bytes = number(),
            "--seconds" => load.time = Duration::from_secs(number() as u64),
            "--rounds" => rounds = number(),
            kind => kinds.push(kind.to_owned()),
        }
    }
    if kinds.is_empty() {
        kinds = ["echo", "buffered-inline-interval", "buffered-ring-interval", "direct-ring-interval"]
            .map(String::from)
            .to_vec();
    }
    let (request, reply_bytes) = messages(&load);
    let mut results: Vec<Vec<(f64, f64, Duration, Duration)>> = vec![Vec::new(); kinds.len()];
    for round in 0..rounds {
        for (place, kind) in kinds.iter().enumerate() {
            let outcome = run(kind, &dir, &load, &request, reply_bytes);
            let rate = outcome.requests as f64 * load.records as f64 / outcome.elapsed.as_secs_f64();
            let cost = outcome.processor.as_secs_f64() * 1e6 / outcome.requests_ever as f64;
            let (median, tail) = (outcome.latency.quantile(0.5), outcome.latency.quantile(0.99));
            println!(
                "round {round} {kind:32} {rate:9.0} records/s  {cost:6.2} µs/request  p50 {median:?}  p99 {tail:?}"
            );
            results[place].push((rate, cost, median, tail));
        }
    }
    println!(
        "\n{} connections x {} records x {} bytes, medians of {rounds} rounds",
        load.connections, load.records, load.record_bytes
    );
    let mut first = None;
    for (kind, mut rates) in kinds.iter().zip(results) {
        let mut costs: Vec<f64> = rates.iter().map(|&(_, cost, ..)| cost).collect();
        costs.sort_by(f64::total_cmp);
        let cost = costs[costs.len() / 2];
        rates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (low, (rate, _, p50, p99), high) = (rates[0].0, rates[rates.len() / 2], rates[rates.len() - 1].0);
        let (base_rate, base_cost) = *first.get_or_insert((rate, cost));
        println!(
            "{kind:32} {rate:9.0} records/s ({low:.0} to {high:.0}) {:5.1} %  p50 {p50:?}  p99 {p99:?}  processor {cost:6.2} µs/request {:5.1} %",
            100.0 * rate / base_rate,
            100.0 * cost / base_cost
        );
    }
}

/// A request, and the length of its reply.
fn messages(load: &Load) -> (Vec<u8>, usize) {
    let text = vec![b'x'; load.record_bytes];
    let records: Vec<Vec<u8>> = (0..load.records)
        .map(|number| {
            let mut bytes = Vec::new();
            let mut writer = RecordWriter::begin(&mut bytes);
            writer.index_code(b"some_index");
            writer.docid(format!("document-{number:06}").as_bytes());
            writer.fields([(&b"text"[..], &text[..])].into_iter());
            writer.finish();
            bytes
        })
        .collect();
    let (mut call, mut answer) = (Vec::new(), Vec::new());
    request::send_batch(&mut call, DIALECT, 1, records.iter().map(Vec::as_slice));
    reply::void(&mut answer, DIALECT, b"send_batch", 1);
    (call, answer.len())
}

fn run(kind: &str, dir: &Path, load: &Load, request: &[u8], reply_bytes: usize) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..load.connections {
        clients.push(TcpStream::connect(address).expect("listening"));
        let (socket, _) = listener.accept().expect("connected");
        socket.set_nodelay(true).expect("TCP");
        servers.push(OwnedFd::from(socket));
    }
    let mut ring = RingConfig {
        receive_buffers: load.receive_buffers,
        receive_buffer_bytes: load.receive_buffer_bytes,
        ..RingConfig::default()
    };
    let kind = match kind.strip_suffix("-spin") {
        Some(kind) => {
            ring.busy_poll = Duration::from_micros(100);
            kind
        }
        None => kind,
    };
    if kind == "echo" {
        let request_bytes = request.len();
        let server = std::thread::spawn(move || {
            affinity::pin(0).expect("processor 0");
            run_echo(&ring, servers, request_bytes, reply_bytes).expect("a ring");
            processor_time()
        });
        let outcome = drive(clients, load, request, reply_bytes);
        return Outcome { processor: server.join().expect("echo"), ..outcome };
    }
    let parts: Vec<&str> = kind.split('-').collect();
    let [append, path, sync, ref without @ ..] = parts[..] else { panic!("unknown kind {kind}") };
    let mut config = ShardConfig::new(ShardId(0), Limits::default());
    config.writer.append = if append == "direct" { AppendMode::Direct } else { AppendMode::Buffered };
    config.writer.sync = match sync {
        "always" => SyncMode::Always,
        // Longer than any run.
        "never" => SyncMode::Interval(Duration::from_secs(3600)),
        _ => SyncMode::Interval(Duration::from_secs(1)),
    };
    config.writer.ready_target = 4;
    let mut unwritten = false;
    for &option in without {
        match option {
            "hoarded" => config.writer.write_out_bytes = 0,
            "unwritten" => unwritten = true,
            // A frame for each batch.
            "single" => config.writer.frame_bytes_target = 1,
            writes => config.writer.writes_in_flight_max = writes.parse().expect("writes under way"),
        }
    }
    ring.write_path = if path == "ring" { WritePath::Ring } else { WritePath::Inline };
    let mailbox = Mailbox::new().expect("an eventfd");
    let metrics = Arc::new(ShardMetrics::default());
    let links = ShardLinks {
        sequencer: Arc::new(Sequencer::new(Epoch::new(logtank_os::clock::wall().0).expect("before 2109"))),
        metrics: metrics.clone(),
        mailbox: mailbox.clone(),
        peers: Vec::new(),
        signal: None,
    };
    let (file_bytes, direct) = (config.writer.ready_file_bytes_min(), append == "direct");
    let mut pool = Preparer { dir: dir.to_owned(), file_bytes, direct, unwritten, next: 0, free: Vec::new() };
    let (ask, asked) = std::sync::mpsc::channel();
    for mail in (0..6).map(|_| pool.make()).collect::<Vec<_>>() {
        mailbox.post(mail).expect("room");
    }
    let preparer = {
        let mailbox = mailbox.clone();
        std::thread::spawn(move || {
            affinity::pin(1).expect("processor 1");
            for event in asked {
                match event {
                    ShardEvent::NeedReady { missing } => {
                        (0..missing).for_each(|_| mailbox.post(pool.make()).expect("room"))
                    }
                    ShardEvent::Sealed { ready, .. } if !pool.unwritten => pool.free.push(ready),
                    _ => {}
                }
            }
            pool.remove();
        })
    };
    let server = std::thread::spawn(move || {
        affinity::pin(0).expect("processor 0");
        run_shard(config, &ring, links, &mut |_| {}, &mut |event| {
            ask.send(event).expect("the preparer waits")
        })
        .expect("a ring");
        processor_time()
    });
    servers.into_iter().for_each(|socket| mailbox.post(Mail::Connection(socket)).expect("room"));
    let outcome = drive(clients, load, request, reply_bytes);
    mailbox.post(Mail::Shutdown).expect("room");
    let outcome = Outcome { processor: server.join().expect("shard"), ..outcome };
    preparer.join().expect("preparer");
    if std::env::var_os("VERBOSE").is_some() {
        println!(
            "  turns {} frames {} write p50 {:?} p99 {:?} sync {} p50 {:?} max {:?} stalls {}",
            metrics.turns.get(),
            metrics.frames.get(),
            metrics.write_latency.quantile(0.5),
            metrics.write_latency.quantile(0.99),
            metrics.syncs.get(),
            metrics.sync_latency.quantile(0.5),
            metrics.sync_latency.quantile(1.0),
            metrics.stalls.get()
        );
    }
    outcome
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

/// Makes segments ready, and uses the files of sealed ones again.
struct Preparer {
    dir: PathBuf,
    file_bytes: u64,
    direct: bool,
    /// Segments are new files without blocks each time.
    unwritten: bool,
    next: u64,
    free: Vec<u64>,
}

impl Preparer {
    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("ready-{number}.rawlog"))
    }

    fn make(&mut self) -> Mail {
        let ready = self.free.pop().unwrap_or_else(|| {
            let file = File::create(self.path(self.next)).expect("DIR can be written to");
            let zeros = vec![0; 1 << 20];
            let written = if self.unwritten { 0 } else { self.file_bytes };
            file.set_len(self.file_bytes).expect("a length");
            for at in (0..written).step_by(1 << 20) {
                file.write_all_at(&zeros[..usize::try_from((written - at).min(1 << 20)).expect("a MiB")], at)
                    .expect("room in DIR");
            }
            file.sync_all().expect("a drive that works");
            // As the host's own: a direct write that meets a cached page is handed to a worker thread.
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a hint");
            self.next += 1;
            self.next - 1
        });
        let flags = if self.direct { 0o40000 } else { 0 };
        let file =
            OpenOptions::new().write(true).custom_flags(flags).open(self.path(ready)).expect("it is there");
        Mail::Ready {
            ready,
            file: file.into(),
            file_bytes: self.file_bytes,
            salt: logtank_os::random::salt(),
        }
    }

    fn remove(&self) {
        (0..self.next).for_each(|number| std::fs::remove_file(self.path(number)).expect("it is there"));
    }
}

/// Each connection sends, waits for the reply, sends again.
fn drive(clients: Vec<TcpStream>, load: &Load, request: &[u8], reply_bytes: usize) -> Outcome {
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            affinity::pin(1).expect("processor 1");
            closed_loop(clients, load, request, reply_bytes)
        });
        client.join().expect("client")
    })
}

fn closed_loop(mut clients: Vec<TcpStream>, load: &Load, request: &[u8], reply_bytes: usize) -> Outcome {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    for (place, client) in clients.iter().enumerate() {
        client.set_nodelay(true).expect("TCP");
        epoll::add(&poll, client, epoll::EventData::new_u64(place as u64), epoll::EventFlags::IN)
            .expect("epoll");
    }
    let latency = Histogram::default();
    let (began, warm) = (Instant::now(), Duration::from_millis(300));
    let mut sent = vec![Instant::now(); clients.len()];
    let mut got = vec![0; clients.len()];
    for client in &mut clients {
        client.write_all(request).expect("open");
    }
    let (mut requests, mut requests_ever, mut measured_from) = (0, 0, None);
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0; 4096];
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None).expect("epoll");
        let now = Instant::now();
        if measured_from.is_none() && now - began > warm {
            measured_from = Some(now);
        }
        if let Some(from) = measured_from
            && now - from > load.time
        {
            return Outcome {
                requests,
                requests_ever,
                processor: Duration::ZERO,
                elapsed: now - from,
                latency,
            };
        }
        for event in &events {
            let place = usize::try_from(event.data.u64()).expect("few");
            got[place] += clients[place].read(&mut buffer).expect("open");
            if got[place] < reply_bytes {
                continue;
            }
            assert_eq!(got[place], reply_bytes, "one reply to one request");
            got[place] = 0;
            requests_ever += 1;
            if measured_from.is_some() {
                requests += 1;
                latency.record(now - sent[place]);
            }
            sent[place] = now;
            clients[place].write_all(request).expect("open");
        }
    }
}
