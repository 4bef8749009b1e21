//! A pack, opened: its fences are in memory, and an index is found with one read of a directory block and one of its slice.

use std::path::Path;
use std::rc::Rc;

use super::group::Group;
use super::pack_file::{PackFile, Window};
use super::slice::OpenSlice;
use super::walk;
use crate::error::{Corruption, Error, Result};
use crate::format::pack::{CodeHash, FOOT_BYTES, Fences, Foot, HEAD_BYTES, Head, PackName};
use crate::ids::IndexCode;
use crate::io::disk::Disk;
use crate::limits::DIRECT_BLOCK_BYTES;
use crate::time::WallMillis;

/// A pack, opened.
pub struct OpenPack<D: Disk> {
    file: Rc<PackFile<D>>,
    name: PackName,
    created: Option<WallMillis>,
    foot: Option<Foot>,
    fences: Fences,
    findings: Vec<Corruption>,
}

impl<D: Disk> OpenPack<D> {
    /// Opens the pack of this name in `folder`, and reads its fences. Where they are damaged, they are made again from the rest,
    /// which reads all of the file.
    ///
    /// # Errors
    /// The disk's ("not found" if it was superseded and removed: look again), or corruption that leaves open what is in the
    /// pack.
    pub async fn open(disk: &D, folder: &Path, name: PackName) -> Result<Self> {
        let file = Rc::new(PackFile::open(disk, &folder.join(name.to_string())).await?);
        if file.bytes() < (HEAD_BYTES + FOOT_BYTES) as u64 {
            return Err(file.corrupt(file.bytes(), "the file is shorter than a head and a foot"));
        }
        let mut findings = Vec::new();
        let mut window = Window::of(DIRECT_BLOCK_BYTES);
        let head_bytes = *window.get(&file, 0..HEAD_BYTES as u64).await?.first_chunk().expect("a head");
        let head = match Head::decode(&head_bytes) {
            Ok(head) if head.name == name => Some(head),
            Ok(head) => {
                return Err(file.corrupt(0, &format!("the head is that of the pack {}", head.name)));
            }
            // A checksum that does not match hides no version: the foot has one, too.
            Err(error) if Head::is_damage(&error) => {
                findings.push(file.damaged(&error));
                None
            }
            Err(error) => return Err(file.damaged(&error).into()),
        };
        let foot_bytes = window.get(&file, file.bytes() - FOOT_BYTES as u64..file.bytes()).await?;
        let foot = Foot::decode(foot_bytes.first_chunk().expect("a foot"), file.bytes());
        let fences = match &foot {
            Ok(foot) if head.is_some() && foot.head_checksum() != Head::checksum(&head_bytes) => {
                return Err(file.corrupt(0, "head and foot are not of one pack"));
            }
            Ok(foot) => read_fences(&file, foot, &name).await?,
            // Nothing says that it is a pack at all.
            Err(error) if head.is_none() => return Err(file.damaged(error).into()),
            Err(error) => Err(file.damaged(error)),
        };
        let fences = match fences {
            Ok(fences) => fences,
            Err(corruption) => {
                let made_again = match walk::fences(&file, &name, foot.as_ref().ok()).await {
                    Err(Error::Corrupt(on_the_way)) => {
                        let Corruption { path, offset, what } = corruption;
                        let there = format!("at byte {}: {}", on_the_way.offset, on_the_way.what);
                        let what = format!("{what}; and where the slices are can't be found out, {there}");
                        return Err(Corruption { path, offset, what }.into());
                    }
                    fences => fences?,
                };
                findings.push(corruption);
                made_again
            }
        };
        let foot = foot.ok();
        Ok(Self { file, name, created: head.map(|head| head.created), foot, fences, findings })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &PackName {
        &self.name
    }

    /// When it was made, if its head can be read.
    #[must_use]
    pub const fn created(&self) -> Option<WallMillis> {
        self.created
    }

    /// What it holds in all, if its foot can be read.
    #[must_use]
    pub const fn foot(&self) -> Option<&Foot> {
        self.foot.as_ref()
    }

    /// Where its directory blocks are.
    #[must_use]
    pub const fn fences(&self) -> &Fences {
        &self.fences
    }

    /// Length of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// What was found damaged without being in the way: the head, or the fences, which were made again.
    #[must_use]
    pub fn findings(&self) -> &[Corruption] {
        &self.findings
    }

    /// The slice of this index, if it has one here.
    ///
    /// # Errors
    /// The disk's, or corruption: of the slice's label, its table or, if it is at most a block, its records.
    pub async fn lookup(&self, code: &IndexCode) -> Result<Option<OpenSlice<D>>> {
        let bytes = code.as_str().as_bytes();
        if !self.name.cell().holds(CodeHash::of(bytes)) {
            return Ok(None);
        }
        let Some(number) = self.fences.find(bytes) else { return Ok(None) };
        let group = self.group(number).await?;
        let Some(listed) = group.directory().slices().find(|listed| listed.entry.code == bytes) else {
            return Ok(None);
        };
        // What is read at once: all of a short slice; of a long one what stands before its data.
        let place = &listed.place;
        let end = if listed.entry.has_table() { place.data().start } else { place.end() };
        let mut window =
            Window::of(usize::try_from(end - place.begin()).expect("at most a block and a label"));
        let slice = OpenSlice::open(&self.file, &mut window, &self.name, &listed).await?;
        Ok(Some(slice.with_finding(group.finding().cloned())))
    }

    pub(super) async fn group(&self, number: usize) -> Result<Group> {
        Group::read(&self.file, &self.name, &self.fences, number).await
    }

    pub(super) const fn file(&self) -> &Rc<PackFile<D>> {
        &self.file
    }
}

/// The fences; or what is wrong with them.
async fn read_fences<D: Disk>(
    file: &PackFile<D>,
    foot: &Foot,
    name: &PackName,
) -> Result<Result<Fences, Corruption>> {
    let range = foot.fences();
    let mut window = Window::of(usize::try_from(range.end - range.start).expect("less than 4 GiB"));
    let bytes = window.get(file, range).await?.to_vec();
    Ok(Fences::decode(bytes, foot, name).map_err(|error| file.damaged(&error)))
}
