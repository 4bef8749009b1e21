//! What a host runs with: [`layers`] finds each setting's text and where it came from, [`settings`] checks what
//! the texts say, [`print`] shows both.

mod file;
mod identity;
mod layers;
mod print;
mod problems;
mod settings;
mod tls;
mod units;
mod validity;

pub(crate) use identity::KEYS;
pub(crate) use layers::Layers;
pub(crate) use print::to_toml;
pub(crate) use settings::{Append, LogFormat, Role, Settings, Sync};
pub(crate) use tls::{PortTls, Tls, certificates};
