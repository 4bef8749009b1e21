use std::io::{Error, Result};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use logtank_wire::client::{request, response};
use logtank_wire::info::IndexLogInfo;
use logtank_wire::message::{Dialect, Message};

use super::reader::{connect, exchange, message};

const DIALECT: Dialect = Dialect { strict: true, framed: true };
/// The manager tells only when asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
const PRIORITY_URGENT: i32 = 0;

/// A connection to a host's manager.
#[derive(Debug)]
pub(crate) struct Manager {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Manager {
    /// # Errors
    /// If there is no host.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(address)?, reply: Vec::new() })
    }

    fn call<T>(&mut self, call: &[u8], read: impl FnOnce(&Message<'_>) -> Result<T>) -> Result<T> {
        exchange(&mut self.stream, call, &mut self.reply)?;
        message(&self.reply, read)
    }

    /// The segments of an index.
    ///
    /// # Errors
    /// The host's, or a broken connection.
    pub(crate) fn index(&mut self, index: &str) -> Result<IndexLogInfo> {
        let mut call = Vec::new();
        request::get_index_log_info(&mut call, DIALECT, 0, index.as_bytes());
        self.call(&call, |message| response::index_log_info(message).map_err(Error::other))
    }

    /// Asks for an index to be optimized before all others.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub(crate) fn optimize(&mut self, index: &str) -> Result<()> {
        let mut call = Vec::new();
        request::enqueue_for_optimization(&mut call, DIALECT, 0, index.as_bytes(), PRIORITY_URGENT, 1.0);
        self.call(&call, |message| response::void(message).map_err(Error::other))
    }

    /// Asks until the index's segments are as wanted.
    ///
    /// # Errors
    /// As [`Self::index`]; if they are not within `patience`.
    pub(crate) fn await_index(
        &mut self,
        index: &str,
        patience: Duration,
        wanted: impl Fn(&IndexLogInfo) -> bool,
    ) -> Result<()> {
        let began = Instant::now();
        loop {
            let info = self.index(index)?;
            if wanted(&info) {
                return Ok(());
            }
            if began.elapsed() > patience {
                return Err(Error::other(format!(
                    "{index} does not get there within {patience:?}: {info:?}"
                )));
            }
            std::thread::sleep(ASK_EVERY);
        }
    }
}
