//! `LogPageToken`, and the reply of `read_page`.

mod token;
mod writer;

pub use token::{LogPageToken, PageType};
pub(crate) use writer::NEXT_PAGE_TOKEN;
pub use writer::PageWriter;
