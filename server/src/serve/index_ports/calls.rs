//! Calls of the reader and the manager to replies.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use logtank_engine::ids::IndexCode;
use logtank_engine::jobs::Shared;
use logtank_engine::limits::PAGE_BYTES_MAX;
use logtank_engine::manager;
use logtank_engine::manager::{ManagerError, SharedPass};
use logtank_engine::recovery_read::{Chunk, ChunkMemory, ReadError, Reader};
use logtank_os::clock::SystemClock;
use logtank_os::disk::UringDisk;
use logtank_wire::call::{CallError, ManagerCall, ReaderCall};
use logtank_wire::info::RawLogInfo;
use logtank_wire::message::Message;
use logtank_wire::reply::{self, ExceptionKind};

use super::ending::End;
use super::places::{Place, Places};
use super::reading_ahead::ReadingAhead;
use crate::metrics::{HostMetrics, METHODS};
use crate::serve::handles::Handles;
use logtank_engine::store::Store;

/// Which service a port offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Reader,
    Manager,
}

impl Service {
    /// Its name, in the log and as a label.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Manager => "manager",
        }
    }
}

/// Answers the calls of one port.
pub(super) struct Answerer {
    service: Service,
    store: Store<UringDisk>,
    reader: Rc<Reader<UringDisk, SystemClock>>,
    shared: Arc<Shared>,
    pages: Rc<Places>,
    existing: SharedPass<Rc<BTreeSet<IndexCode>>>,
    raw_log: SharedPass<Rc<RawLogInfo>>,
    metrics: HostMetrics,
}

/// Why a call does not get what it asks for.
enum Refusal {
    /// It gets an exception.
    Exception { kind: ExceptionKind, what: String },
    /// Nobody waits for it any more.
    Interrupted(End),
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self::Exception { kind: error.exception_kind(), what: error.to_string() }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        if let ReadError::Corrupt(_) | ReadError::Gone(_) | ReadError::Disk(_) = error {
            tracing::error!(
                "a page of a recovery can't be read: {error}; `logtank verify` names what is damaged"
            );
        }
        Self::Exception { kind: ExceptionKind::InternalError, what: error.to_string() }
    }
}

impl From<ManagerError> for Refusal {
    fn from(error: ManagerError) -> Self {
        Self::Exception { kind: ExceptionKind::InternalError, what: error.to_string() }
    }
}

/// A reply. Its records are sent from where they were read, without being copied into it.
#[derive(Default)]
pub(super) struct Reply {
    /// Its bytes but for the records.
    pub(super) bytes: Vec<u8>,
    /// Where among them the records belong.
    pub(super) records_at: usize,
    /// The records.
    pub(super) chunks: Vec<Chunk>,
    /// The next page is being read while this one is sent.
    pub(super) ahead: Option<ReadingAhead>,
    /// To be held until the reply is sent.
    pub(super) memory: Option<Place>,
}

impl Reply {
    /// Keeps only the memory of its bytes.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        *self = Self { bytes: std::mem::take(&mut self.bytes), ..Self::default() };
    }
}

impl Answerer {
    /// As many pages as may be in memory at once.
    pub(super) fn pages_at_once(bytes_max: usize) -> Rc<Places> {
        // One page, while it is read and sent; more where it is put together of parts of several segments.
        Places::new(bytes_max / (3 * PAGE_BYTES_MAX))
    }

    pub(super) fn new(
        service: Service,
        store: Store<UringDisk>,
        reader: Rc<Reader<UringDisk, SystemClock>>,
        pages: Rc<Places>,
        handles: &Handles,
    ) -> Self {
        Self {
            service,
            store,
            reader,
            shared: handles.shared.clone(),
            pages,
            existing: SharedPass::default(),
            raw_log: SharedPass::default(),
            metrics: handles.metrics.clone(),
        }
    }

    /// Makes `reply` the one to `call` of `peer`. `ahead` is what was begun with the reply before it on this connection.
    /// What takes as long as other peers let it is given up when `interrupted` completes.
    ///
    /// # Errors
    /// What `interrupted` says: there is no reply then.
    pub(super) async fn answer(
        &self,
        call: &Message<'_>,
        peer: IpAddr,
        ahead: Option<ReadingAhead>,
        reply: &mut Reply,
        interrupted: impl Future<Output = End>,
    ) -> Result<(), End> {
        let began = Instant::now();
        let outcome = match self.service {
            Service::Reader => self.answer_reader(call, peer, ahead, reply, interrupted).await,
            Service::Manager => self.answer_manager(call, &mut reply.bytes).await,
        };
        let refused = outcome.is_err();
        match outcome {
            Ok(()) => {}
            Err(Refusal::Exception { kind, what }) => {
                Self::refuse(call, kind, &what, reply);
            }
            // The host has failed nobody.
            Err(Refusal::Interrupted(end)) => return Err(end),
        }
        self.metrics.call(method(call.name), !refused, began.elapsed());
        Ok(())
    }

    /// Makes `reply` an exception.
    pub(super) fn refuse(call: &Message<'_>, kind: ExceptionKind, what: &str, reply: &mut Reply) {
        reply.clear();
        reply::exception(&mut reply.bytes, call.dialect, call.name, call.sequence, kind, what);
    }

    async fn answer_reader(
        &self,
        call: &Message<'_>,
        peer: IpAddr,
        ahead: Option<ReadingAhead>,
        reply: &mut Reply,
        interrupted: impl Future<Output = End>,
    ) -> Result<(), Refusal> {
        let ReaderCall::ReadPage { index_code, token } = ReaderCall::parse(call)?;
        let (ahead, memory) = match ahead {
            Some(ahead) => ahead.finished().await.unzip(),
            None => (None, None),
        };
        let memory = match memory {
            Some(memory) => memory,
            None => tokio::select! {
                biased;
                place = self.pages.place(peer) => place,
                end = interrupted => return Err(Refusal::Interrupted(end)),
            },
        };
        let page = self.reader.read_page_with(index_code, &token, ahead).await;
        if let Err(ReadError::Corrupt(damage)) = &page {
            self.metrics.damaged(damage);
        }
        let page = page?;
        let bytes = page.record_bytes();
        self.metrics.page_records.add(page.records.into());
        self.metrics.page_bytes.add(bytes as u64);
        let (size, next) = ((page.records, bytes), page.next.as_ref());
        reply.records_at =
            reply::page_around(&mut reply.bytes, call.dialect, call.name, call.sequence, size, next);
        reply.chunks = page.chunks;
        reply.memory = Some(memory);
        if let Some(next) = page.next {
            // If there is no memory to spare, the next page is read when it is asked for.
            let memory = self.pages.place_ahead(peer);
            let reader = &self.reader;
            reply.ahead = memory.map(|memory| ReadingAhead::begin(reader.clone(), index_code, next, memory));
        }
        Ok(())
    }

    /// Takes back memory of a reply that was sent.
    pub(super) fn recycle(&self, memory: ChunkMemory) {
        self.reader.recycle(memory);
    }

    async fn answer_manager(&self, call: &Message<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let Message { dialect, name, sequence, .. } = *call;
        let (store, shared) = (&self.store, &self.shared);
        match ManagerCall::parse(call)? {
            ManagerCall::GetIndexLogInfo { index_code } => {
                let info = manager::get_index_log_info(store, index_code).await?;
                reply::index_log_info(out, dialect, name, sequence, &info);
            }
            ManagerCall::GetRawLogInfo => {
                let pass = async { manager::get_raw_log_info(store).await.map(Rc::new) };
                let info = self.raw_log.get(pass).await?;
                reply::raw_log_info(out, dialect, name, sequence, &info);
            }
            ManagerCall::EnqueueForOptimization { index_code, priority, score } => {
                manager::enqueue_for_optimization(store, shared, index_code, priority, score).await?;
                reply::void(out, dialect, name, sequence);
            }
            ManagerCall::DeleteIndex { index_code } => {
                manager::delete_index(store, shared, index_code).await?;
                tracing::info!(index = %String::from_utf8_lossy(index_code), "index deleted");
                reply::void(out, dialect, name, sequence);
            }
            ManagerCall::GetOptimizationQueue => {
                let queue = manager::get_optimization_queue(shared);
                let entries = queue.iter().map(|(code, score)| (code.as_str().as_bytes(), *score));
                reply::optimization_queue(out, dialect, name, sequence, entries);
            }
            ManagerCall::ListExistingIndexes => {
                let pass = async { manager::list_existing_indexes(store, shared).await.map(Rc::new) };
                let codes = self.existing.get(pass).await?;
                let names = codes.iter().map(|code| code.as_str().as_bytes());
                reply::existing_indexes(out, dialect, name, sequence, names);
            }
        }
        Ok(())
    }
}

/// The label of a method.
fn method(name: &[u8]) -> &'static str {
    METHODS.into_iter().find(|method| method.as_bytes() == name).unwrap_or("other")
}
