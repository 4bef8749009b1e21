//! The servers that are compared: how each is started and configured. One file a peer.

pub(crate) mod echo;
pub(crate) mod fio;
pub(crate) mod logtank;
pub(crate) mod nats;
mod process;
pub(crate) mod redis;
mod server;
pub(crate) mod shard;

pub(crate) use process::Process;
pub(crate) use server::{Context, Peer, Server, Sync, Without};
