//! Verifying packs/: each file, and that none is lost.

use super::stack::Stack;
use super::verify::verify_pack;
use crate::error::{Corruption, Error, Result};
use crate::format::checkpoint::Checkpoint;
use crate::format::names::is_temporary;
use crate::format::pack::PackName;
use crate::ids::Position;
use crate::io::disk::{Disk, EntryKind};
use crate::store::Store;

/// What a verification of packs/ found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedPacks {
    /// Files that were read.
    pub files: u64,
    /// Records that were read.
    pub records: u64,
    /// Bytes of records that were read.
    pub bytes: u64,
    /// What is wrong: nothing, if all is well.
    pub findings: Vec<Corruption>,
}

/// Reads every pack, also superseded ones, as [`verify_pack`] does; `reads` is given the name of each before. Checks that the packs
/// tile the log up to the checkpoint, at every hash, so that none is lost. What ends after the checkpoint counts for nobody and is passed
/// over, and so is a pack that vanishes meanwhile. Changes nothing.
///
/// # Errors
/// The disk's; damage is not an error here but a finding.
pub async fn verify_packs<D: Disk>(store: &Store<D>, reads: &dyn Fn(&PackName)) -> Result<VerifiedPacks> {
    let folder = store.layout().packs();
    let mut verified = VerifiedPacks::default();
    let mut names = Vec::new();
    // What is no file is found elsewhere; see [`crate::foreign`].
    let entries = store.list(&folder).await?;
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::File && !is_temporary(&entry.name)) {
        match PackName::parse(&entry.name) {
            Some(name) => names.push(name),
            None => {
                let what = "no pack has such a name: it is passed over; move it away".to_owned();
                verified.findings.push(Corruption { path: folder.join(&entry.name), offset: 0, what });
            }
        }
    }
    if names.is_empty() {
        return Ok(verified);
    }
    match Checkpoint::read(store).await?.next() {
        Ok(next) => {
            let stack = Stack::of(&names, Position::new(next, 0));
            for untiled in stack.untiled() {
                let what = untiled.to_string();
                verified.findings.push(Corruption { path: folder.clone(), offset: 0, what });
            }
            names.retain(|name| !stack.leftovers().contains(name));
        }
        // Which of them count can't be told; who reads the checkpoint reports it.
        Err(Error::Corrupt(_)) => {}
        Err(error) => return Err(error),
    }
    for name in names {
        reads(&name);
        match verify_pack(store.disk(), &folder, name).await {
            Ok(pack) => {
                verified.files += 1;
                verified.records += pack.records;
                verified.bytes += pack.bytes;
                verified.findings.extend(pack.findings);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(verified)
}
