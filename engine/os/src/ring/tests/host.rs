//! A host around shards: makes segments ready, accepts, renames as the server would, and reads back what was written.

use std::fs::{File, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use logtank_engine::format::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, RawHeader as Header, RawSeal as Seal,
    SEAL_BYTES, SEAL_OFFSET,
};
use logtank_engine::ids::{Epoch, Position, ShardId};
use logtank_engine::io::ShardEvent;
use logtank_engine::limits::Limits;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::raw_log::{AppendMode, SyncMode};
use logtank_engine::sequencer::Sequencer;
use logtank_engine::shard::ShardConfig;
use logtank_wire::record::RecordView;
use tempfile::TempDir;

use crate::mailbox::{Mail, Mailbox};
use crate::ring::{RingConfig, ShardExit, ShardLinks, WritePath, run_shard};

pub(super) fn limits() -> Limits {
    Limits {
        message_bytes_max: 64 * 1024,
        record_bytes_max: 32 * 1024,
        unsynced_bytes_max: 4 << 20,
        in_flight_bytes_max: 8 << 20,
        connections_max: 256,
        ..Limits::default()
    }
}

pub(super) struct Host {
    pub(super) dir: TempDir,
    pub(super) mailboxes: Vec<Mailbox>,
    pub(super) metrics: Vec<Arc<ShardMetrics>>,
    pub(super) events: Arc<Mutex<Vec<ShardEvent>>>,
    threads: Vec<JoinHandle<ShardExit>>,
    listener: TcpListener,
    next: AtomicU64,
}

impl Host {
    pub(super) fn start(shards: u16, adjust: impl Fn(&mut ShardConfig, &mut RingConfig)) -> Self {
        Self::start_on(shards, adjust, |_| false)
    }

    /// On a drive that takes no writes to the ready segments of some numbers.
    pub(super) fn start_on(
        shards: u16,
        adjust: impl Fn(&mut ShardConfig, &mut RingConfig),
        refuses: fn(u64) -> bool,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let sequencer = Arc::new(Sequencer::new(Epoch::new(1_000_000).unwrap()));
        let mailboxes: Vec<_> = (0..shards).map(|_| Mailbox::new().unwrap()).collect();
        let events = Arc::new(Mutex::new(Vec::new()));
        let ready = Arc::new(AtomicU64::new(0));
        let mut metrics = Vec::new();
        let threads = (0..shards)
            .map(|shard| {
                let mut config = ShardConfig::new(ShardId(shard), limits());
                let mut ring = RingConfig::default();
                config.writer.segment_roll_bytes = 256 * 1024;
                adjust(&mut config, &mut ring);
                let peers = mailboxes.iter().enumerate().filter(|&(place, _)| place != usize::from(shard));
                let links = ShardLinks {
                    sequencer: sequencer.clone(),
                    metrics: Arc::new(ShardMetrics::default()),
                    mailbox: mailboxes[usize::from(shard)].clone(),
                    peers: peers.map(|(_, mailbox)| mailbox.clone()).collect(),
                    signal: None,
                    ledger: Arc::default(),
                };
                metrics.push(links.metrics.clone());
                let (path, events, ready) = (dir.path().to_owned(), events.clone(), ready.clone());
                std::thread::spawn(move || {
                    let (mailbox, file_bytes) = (links.mailbox.clone(), config.writer.ready_file_bytes_min());
                    let direct = config.writer.append == AppendMode::Direct;
                    run_shard(config, &ring, links, &mut |_| {}, &mut |event| {
                        if let ShardEvent::NeedReady { missing } = event {
                            for _ in 0..missing {
                                let number = ready.fetch_add(1, Ordering::Relaxed);
                                let mail = make_ready(&path, number, file_bytes, direct, refuses(number));
                                mailbox.post(mail).unwrap();
                            }
                        }
                        events.lock().unwrap().push(event);
                    })
                    .unwrap()
                })
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { dir, mailboxes, metrics, events, threads, listener, next: AtomicU64::new(0) }
    }

    /// A connection to the shards in turn.
    pub(super) fn connect(&self) -> TcpStream {
        let (client, server) = self.pair();
        self.hand_over(server);
        client
    }

    /// A connection that no shard has yet.
    pub(super) fn pair(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        client.set_nodelay(true).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        (client, server)
    }

    pub(super) fn hand_over(&self, server: TcpStream) {
        let place =
            usize::try_from(self.next.fetch_add(1, Ordering::Relaxed)).unwrap() % self.mailboxes.len();
        self.mailboxes[place].post(Mail::Connection(OwnedFd::from(server))).unwrap();
    }

    pub(super) fn sum(&self, metric: impl Fn(&ShardMetrics) -> u64) -> u64 {
        self.metrics.iter().map(|metrics| metric(metrics)).sum()
    }

    /// Waits until a metric's sum over the shards is as wanted. (Metrics are memory that shards write to; nothing tells.)
    pub(super) fn wait_until(&self, metric: impl Fn(&ShardMetrics) -> u64, wanted: impl Fn(u64) -> bool) {
        for _ in 0..10_000 {
            if wanted(self.sum(&metric)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("still {} after ten seconds", self.sum(&metric));
    }

    pub(super) fn shut_down(&mut self) {
        for mailbox in &self.mailboxes {
            mailbox.post(Mail::Shutdown).unwrap();
        }
        for thread in self.threads.drain(..) {
            assert_eq!(thread.join().unwrap(), ShardExit::Done);
        }
    }

    /// How each shard ended by itself.
    pub(super) fn join(self) -> Vec<ShardExit> {
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    pub(super) fn segments(&self) -> Vec<Segment> {
        let paths = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<Segment> = paths.filter_map(|path| Segment::read(&path)).collect();
        segments.sort_by_key(|segment| (segment.header.epoch, segment.header.shard, segment.header.part));
        segments
    }
}

/// A file as the preparer leaves it: all blocks written, zero where header and seal will be, old bytes elsewhere.
fn make_ready(dir: &Path, number: u64, file_bytes: u64, direct: bool, refuses: bool) -> Mail {
    let path: PathBuf = dir.join(format!("ready-{number}.rawlog"));
    let file = File::create(&path).unwrap();
    let mut content = vec![0x5a; usize::try_from(file_bytes).unwrap()];
    content[..usize::try_from(FRAMES_OFFSET).unwrap()].fill(0);
    file.write_all_at(&content, 0).unwrap();
    let flags = if direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new().read(refuses).write(!refuses).custom_flags(flags).open(&path).unwrap();
    Mail::Ready { ready: number, file: file.into(), file_bytes, salt: crate::random::salt() }
}

/// What a segment's file holds.
pub(super) struct Segment {
    pub(super) header: Header,
    pub(super) seal: Option<Seal>,
    /// Position and docid of each record.
    pub(super) records: Vec<(Position, String)>,
}

impl Segment {
    fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).unwrap();
        let header = Header::decode(bytes[..HEADER_BYTES].try_into().unwrap()).ok()?;
        let seal_at = usize::try_from(SEAL_OFFSET).unwrap();
        let seal = Seal::decode(bytes[seal_at..seal_at + SEAL_BYTES].try_into().unwrap(), &header).ok();
        let mut at = usize::try_from(FRAMES_OFFSET).unwrap();
        let (mut records, mut least, mut frames) = (Vec::new(), Position::new(header.epoch, 0), 0);
        while let Some(begin) = bytes.get(at..at + FRAME_HEADER_BYTES) {
            let Ok(frame) = FrameHeader::decode(begin, (bytes.len() - at) as u64) else {
                break;
            };
            let whole = &bytes[at..at + usize::try_from(frame.frame_bytes()).unwrap()];
            if frame.verify(whole, &header, least).is_err() {
                break;
            }
            let mut payload = &whole[FRAME_HEADER_BYTES..];
            for place in 0..frame.records {
                let (record, len) = RecordView::parse(payload).unwrap();
                let docid = String::from_utf8(record.docid.unwrap().to_vec()).unwrap();
                records.push((frame.first.advanced(place), docid));
                payload = &payload[len..];
            }
            assert!(payload.is_empty());
            least = frame.end();
            frames += 1;
            at += whole.len().next_multiple_of(usize::try_from(header.block_bytes).unwrap());
        }
        if let Some(seal) = &seal {
            assert_eq!(
                (seal.end, seal.frames, seal.records),
                (at as u64, frames, records.len() as u64),
                "{path:?}"
            );
        }
        Some(Self { header, seal, records })
    }
}

pub(super) const MODES: [(AppendMode, WritePath); 4] = [
    (AppendMode::Buffered, WritePath::Inline),
    (AppendMode::Buffered, WritePath::Ring),
    (AppendMode::Direct, WritePath::Ring),
    (AppendMode::Direct, WritePath::Inline),
];

pub(super) const SYNCS: [SyncMode; 2] = [SyncMode::Always, SyncMode::Interval(Duration::from_millis(50))];
