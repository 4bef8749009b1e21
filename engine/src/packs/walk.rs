use super::pack_file::{PackFile, Window};
use crate::error::Result;
use crate::format::pack::{
    Directory, FOOT_BYTES, Fences, FencesBuilder, Foot, HEAD_BYTES, LABEL_BYTES_MAX, Label, PackName,
};
use crate::io::disk::Disk;
use crate::limits::MIB;

/// The fences of a pack whose foot, or fences, are damaged: made again by a walk over all of it, from label to label.
///
/// # Errors
/// The disk's, or corruption, if the walk does not come to where the fences should begin: then nothing may be said of what is
/// not in the pack.
pub(super) async fn fences<D: Disk>(file: &PackFile<D>, pack: &PackName) -> Result<Fences> {
    let mut window = Window::over(file, MIB as usize);
    let mut fences = FencesBuilder::default();
    let (mut at, mut group) = (HEAD_BYTES as u64, HEAD_BYTES as u64);
    loop {
        let end = file.bytes().min(at.saturating_add(LABEL_BYTES_MAX as u64));
        let bytes = window.get(file, at..end.max(at)).await?;
        if let Ok(label) = Label::decode(bytes, at) {
            at = label.place.end();
            continue;
        }
        if let Some(length) = Directory::length(bytes) {
            let block = window.get(file, at..at.saturating_add(length as u64)).await?;
            if let Ok(directory) = Directory::decode(block, at, pack)
                && directory.first_label() == group
            {
                fences.push(&directory.fence(at));
                at += length as u64;
                group = at;
                continue;
            }
        }
        let is_end = at == group && at + (fences.bytes() + FOOT_BYTES) as u64 == file.bytes();
        if !is_end {
            let what = "neither a slice nor a directory block begins here";
            return Err(file.corrupt(at, what));
        }
        let (bytes, checksum, blocks) = fences.finish(at);
        let foot = Foot::new(&(at..at + bytes.len() as u64), checksum, blocks, [0; 3], 0);
        return Ok(Fences::decode(bytes, &foot, pack).map_err(|error| file.damaged(&error))?);
    }
}
