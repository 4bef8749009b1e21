//! The host under test: the engine's rooms, joined as the real host joins them, over the model disk and network.

mod belonging;
mod driver;
mod life;
mod net;
mod ring;
mod segments;
mod witness;

pub use life::{Exit, Host, Mail, Port};
pub use net::Link;
