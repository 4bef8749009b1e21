//! One function a target: takes any bytes, and panics if what must hold does not.
#![forbid(unsafe_code)]

mod config;
mod connection;
mod edits;
mod index_segment;
mod ledger;
mod messages;
mod pack;
mod raw_segment;
mod records;
mod recovery;
mod secured_peer;
mod small_files;
mod tls;
mod token;
mod world;

/// A target.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 16] = [
    ("config", config::config),
    ("connection", connection::connection),
    ("index_segment", index_segment::index_segment),
    ("legacy_segment", raw_segment::legacy_segment),
    ("messages", messages::messages),
    ("original_segment", index_segment::original_segment),
    ("pack", pack::pack),
    ("pack_name", pack::pack_name),
    ("raw_segment", raw_segment::raw_segment),
    ("records", records::records),
    ("recovery", recovery::recovery),
    ("responses", messages::responses),
    ("signed_token", token::signed_token),
    ("small_files", small_files::small_files),
    ("tls", tls::tls),
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
