//! One connection of the reader or the manager: calls in, replies out, in order.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use logtank_wire::inbound::{Inbound, InboundLimits, ProtocolError};
use logtank_wire::message::MessageKind;
use logtank_wire::reply::{self, ExceptionKind};
use tokio::sync::watch;
use tokio::time::timeout;

use super::calls::{Answerer, Reply};
use super::sending::send;
use super::stream::Stream;
use super::turns::Turns;
use crate::metrics::HostMetrics;

/// Received at once. Calls are short: a method, an index code, a token.
const RECEIVE_BYTES: usize = 4096;
/// The longest call. Nothing that these services take is anywhere near.
const CALL_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of a call; the contract needs three.
const DEPTH_MAX: usize = 16;
/// A reply's buffer is given back when it has grown beyond this: most connections are idle most of the time.
const REPLY_BYTES_KEPT: usize = 16 * 1024;

/// Between two log lines about peers that can't be understood.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// For telling the peer that its connection ends.
const PART_PATIENCE: Duration = Duration::from_secs(1);

/// How long peers may take.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Bounds {
    /// For the rest of a call that has begun, and for receiving anything of a reply.
    pub(in crate::serve) message_timeout: Duration,
    /// Between calls; `None`: for ever.
    pub(in crate::serve) idle_timeout: Option<Duration>,
    /// Connections to one port.
    pub(in crate::serve) connections_max: usize,
}

/// Whether the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Close,
}

/// Who is at the other end of a connection, and of which port.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) port: &'static str,
    pub(super) peer: SocketAddr,
    pub(super) metrics: HostMetrics,
    pub(super) reports: Rc<Reports>,
}

/// Keeps peers that can't be understood from filling the log.
#[derive(Debug, Default)]
pub(super) struct Reports {
    last: Cell<Option<Instant>>,
    /// Since then, not reported.
    more: Cell<u64>,
}

impl Remote {
    /// The peer's bytes can't be parsed.
    fn is_not_understood(&self, why: &ProtocolError) {
        self.metrics.index_protocol_errors.of([self.port]).add(1);
        self.report(why);
    }

    /// The connection can't be encrypted.
    fn is_not_encrypted(&self, why: &io::Error) {
        // Others are those of a peer that is gone.
        if why.kind() == io::ErrorKind::InvalidData {
            self.metrics.index_tls_failures.of([self.port]).add(1);
            self.report(why);
        }
    }

    fn report(&self, why: &dyn std::fmt::Display) {
        let Reports { last, more } = &*self.reports;
        if last.get().is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            more.set(more.get() + 1);
            return;
        }
        last.set(Some(Instant::now()));
        tracing::warn!(
            port = self.port,
            peer = %self.peer,
            unreported = more.take(),
            "a connection can't be understood and is closed: {why}"
        );
    }
}

/// Serves a connection until the peer is done, breaks the contract, is too slow, or the host stops.
pub(super) async fn serve(
    mut stream: Stream,
    answerer: &Answerer,
    bounds: Bounds,
    turns: &Turns,
    remote: &Remote,
    mut stop: watch::Receiver<bool>,
) {
    let _ = converse(&mut stream, answerer, bounds, turns, remote, &mut stop).await;
    let _ = timeout(PART_PATIENCE, stream.part()).await;
    stream.shut_down();
}

async fn converse(
    stream: &mut Stream,
    answerer: &Answerer,
    bounds: Bounds,
    turns: &Turns,
    remote: &Remote,
    stop: &mut watch::Receiver<bool>,
) -> io::Result<()> {
    let shed = stream.shed();
    let limits = InboundLimits { message_bytes_max: CALL_BYTES_MAX, depth_max: DEPTH_MAX };
    let mut inbound = Inbound::new(limits);
    let mut begun: Option<Instant> = None;
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
        () = shed.happens() => return answerer.shed(),
        agreed = timeout(bounds.message_timeout, stream.agree(turns)) => match agreed {
            Ok(outcome) => outcome.inspect_err(|error| remote.is_not_encrypted(error))?,
            Err(_) => return Ok(()),
        },
    }
    let (mut received, mut reply) = (Vec::with_capacity(RECEIVE_BYTES), Reply::default());
    let mut ahead = None;
    loop {
        let patience = match begun {
            Some(begun) => bounds.message_timeout.saturating_sub(begun.elapsed()),
            None => bounds.idle_timeout.unwrap_or(Duration::MAX),
        };
        let receive = stream.read(received);
        let (result, buffer) = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = shed.happens() => return answerer.shed(),
            outcome = timeout(patience, receive) => match outcome {
                Ok(outcome) => outcome,
                Err(_) => return Ok(()),
            },
        };
        if result? == 0 {
            return Ok(());
        }
        received = buffer;
        let mut input = received.as_slice();
        loop {
            reply.clear();
            let flow = match inbound.next(&mut input) {
                Ok(Some(message)) if message.kind == MessageKind::Call => {
                    let line = stream.line();
                    let interrupted = async {
                        let outcome = tokio::select! {
                            biased;
                            _ = stop.wait_for(|stop| *stop) => Ok(()),
                            () = shed.happens() => answerer.shed(),
                            () = line.goes(bounds.message_timeout) => Ok(()),
                        };
                        outcome.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())
                    };
                    answerer.answer(&message, stream.peer(), ahead.take(), &mut reply, interrupted).await?;
                    Flow::On
                }
                // None of these methods makes sense if nobody waits for its reply.
                Ok(Some(message)) => {
                    let what = "this service answers calls only: send messages of type CALL";
                    let kind = ExceptionKind::InvalidMessageType;
                    reply::exception(
                        &mut reply.bytes,
                        message.dialect,
                        message.name,
                        message.sequence,
                        kind,
                        what,
                    );
                    Flow::On
                }
                Ok(None) => break,
                Err(error) => {
                    remote.is_not_understood(&error);
                    let (dialect, name, sequence) = error.address();
                    let what = error.to_string();
                    reply::exception(
                        &mut reply.bytes,
                        dialect,
                        name,
                        sequence,
                        ExceptionKind::ProtocolError,
                        &what,
                    );
                    Flow::Close
                }
            };
            ahead = reply.ahead.take();
            // What the peer does not take of it counts like what it does not finish.
            stream.keeps(reply.bytes.len());
            let sent = tokio::select! {
                biased;
                sent = send(stream, answerer, reply, bounds.message_timeout) => sent?,
                () = shed.happens() => return answerer.shed(),
            };
            let bytes = if sent.capacity() > REPLY_BYTES_KEPT { Vec::new() } else { sent };
            reply = Reply { bytes, ..Reply::default() };
            if flow == Flow::Close {
                return Ok(());
            }
        }
        stream.keeps(inbound.pending_bytes());
        begun = match (inbound.pending_bytes(), begun) {
            (0, _) => None,
            (_, begun) => begun.or_else(|| Some(Instant::now())),
        };
        received.clear();
    }
}
