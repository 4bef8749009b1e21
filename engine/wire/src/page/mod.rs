//! `LogPageToken`, and the reply of `read_page`.

mod token;
mod writer;

pub use token::{LogPageToken, PageType};
pub use writer::PageWriter;
