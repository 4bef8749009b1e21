use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use logtank_engine::jobs::governor::Policy;
use logtank_os::append_signal::AppendSignal;
use logtank_os::disk::{Throttle, block_on};
use logtank_wire::call::Service;
use tokio::sync::watch;

use super::calls::Answerer;
use super::connection::Bounds;
use super::port::Port;
use crate::metrics::HostMetrics;
use crate::serve::Tree;

/// A page that is being sent when the host stops may be finished, for so long.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What the thread needs.
pub(in crate::serve) struct IndexThread {
    pub(in crate::serve) tree: Tree,
    pub(in crate::serve) reader: TcpListener,
    pub(in crate::serve) manager: TcpListener,
    pub(in crate::serve) bounds: Bounds,
    pub(in crate::serve) signal: Arc<AppendSignal>,
    pub(in crate::serve) metrics: HostMetrics,
    pub(in crate::serve) stop: watch::Receiver<bool>,
}
