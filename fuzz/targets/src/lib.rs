//! One function a target: takes any bytes, and panics if what must hold does not.
#![forbid(unsafe_code)]

mod connection;
mod edits;
mod index_segment;
mod messages;
mod raw_segment;
mod records;
mod small_files;
mod token;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 9] = [
    ("connection", connection::connection),
    ("index_segment", index_segment::index_segment),
    ("legacy_segment", raw_segment::legacy_segment),
    ("messages", messages::messages),
    ("raw_segment", raw_segment::raw_segment),
    ("records", records::records),
    ("responses", messages::responses),
    ("small_files", small_files::small_files),
    ("token", token::token),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, or if what must hold does not.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of that name");
    target(data);
}
