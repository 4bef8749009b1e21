//! `logtank-bench echo`: servers that do nothing but answer, as the limit that others are measured against.

mod epoll;
mod stream;
mod uring;

use std::io::{Error, Result, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use logtank_os::ring::RingConfig;

/// Which one.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// On a ring that is set up as the host's is.
    Uring,
    /// Readiness, one read and one write a request.
    Epoll,
    /// Sends a file to whoever connects.
    Stream,
}

/// Answers each so many bytes with so many; for comparisons.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Which kind of server.
    #[arg(long, value_enum)]
    kind: Kind,
    /// Where it listens; it says where on standard output.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Bytes of a request.
    #[arg(long, default_value_t = 1024)]
    request_bytes: usize,
    /// Bytes of its reply.
    #[arg(long, default_value_t = 31)]
    reply_bytes: usize,
    /// Connections to wait for; when all are closed, it ends.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// As the host's setting, for the ring.
    #[arg(long, default_value = "0us", value_parser = humantime::parse_duration)]
    busy_poll: Duration,
    /// What to send, for the stream.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Read it past the page cache, for the stream.
    #[arg(long)]
    direct: bool,
}

/// Serves until its connections are closed.
///
/// # Errors
/// The system's.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.request_bytes == 0 || arguments.reply_bytes == 0 || arguments.connections == 0 {
        return Err(Error::other("bytes and connections must be at least 1"));
    }
    let listener = TcpListener::bind(arguments.listen)?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    if arguments.kind == Kind::Stream {
        let file = arguments.file.as_ref().ok_or_else(|| Error::other("a stream needs --file"))?;
        return stream::serve(&listener, file, arguments.connections, arguments.direct);
    }
    let mut sockets = Vec::new();
    for _ in 0..arguments.connections {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    match arguments.kind {
        Kind::Epoll => epoll::serve(sockets, arguments.request_bytes, arguments.reply_bytes),
        Kind::Uring | Kind::Stream => {
            let config = RingConfig { busy_poll: arguments.busy_poll, ..RingConfig::default() };
            uring::serve(&config, &sockets, arguments.request_bytes, arguments.reply_bytes)
        }
    }
}
