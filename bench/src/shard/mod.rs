//! `logtank-bench shard`: the loop of one shard as a server, without the host around it: what the echo is the limit of.

mod kind;
mod segments;

pub(crate) use kind::Kind;

use std::io::{Error, Result, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;

use logtank_engine::ids::Epoch;
use logtank_engine::metrics::ShardMetrics;
use logtank_engine::sequencer::Sequencer;
use logtank_os::affinity;
use logtank_os::mailbox::{Mail, Mailbox};
use logtank_os::ring::{ShardLinks, run_shard};

use self::segments::Segments;
use crate::machine::Placement;

/// Segments that it begins with.
const SEGMENTS_FIRST: usize = 6;

/// One shard's loop; for comparisons.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How it writes, as `logtank-bench ring` calls it.
    #[arg(long)]
    kind: Kind,
    /// Where its segments are.
    #[arg(long)]
    dir: PathBuf,
}

/// Serves until it is killed.
///
/// # Errors
/// The system's.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let placement = Placement::choose()?;
    let (config, ring) = (arguments.kind.shard(), arguments.kind.ring());
    let mailbox = Mailbox::new()?;
    let epoch =
        Epoch::new(logtank_os::clock::wall().0).ok_or_else(|| Error::other("the clock is beyond 2109"))?;
    let links = ShardLinks {
        sequencer: Arc::new(Sequencer::new(epoch)),
        metrics: Arc::new(ShardMetrics::default()),
        mailbox: mailbox.clone(),
        peers: Vec::new(),
        signal: None,
        ledger: std::sync::Arc::default(),
    };
    let mut segments = Segments::new(&arguments.dir, &arguments.kind, config.writer.ready_file_bytes_min());
    for _ in 0..SEGMENTS_FIRST {
        post(&mailbox, segments.make()?)?;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let (event, events) = channel();
    let (shard, client) = (placement.server, placement.client);
    let server = std::thread::Builder::new().name("shard".to_owned()).spawn(move || {
        affinity::pin(shard)?;
        // Nobody takes the events of a shard whose segments can't be made; it goes with the process.
        run_shard(config, &ring, links, &mut |_| {}, &mut |what| drop(event.send(what)))
    })?;
    let mail = mailbox.clone();
    let maker = std::thread::Builder::new().name("segments".to_owned()).spawn(move || {
        affinity::pin(client)?;
        segments.serve(&events, |segment| post(&mail, segment))
    })?;
    std::thread::Builder::new().name("acceptor".to_owned()).spawn(move || -> Result<()> {
        loop {
            let (socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            post(&mailbox, Mail::Connection(OwnedFd::from(socket)))?;
        }
    })?;
    // Its events end when the shard does.
    maker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    server.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(drop)
}

fn post(mailbox: &Mailbox, mail: Mail) -> Result<()> {
    mailbox.post(mail).map_err(|_| Error::other("the shard's mailbox is full"))
}
