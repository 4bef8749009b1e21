use super::pack_file::{PackFile, Window};
use crate::error::Result;
use crate::format::pack::{
    Directory, FOOT_BYTES, Fences, FencesBuilder, Foot, HEAD_BYTES, LABEL_BYTES_MAX, Label, PackName,
};
use crate::io::disk::Disk;
use crate::limits::MIB;

/// The fences of a pack whose foot, or fences, are damaged: made again by a walk over all of it, from label to label. `foot` is
/// there if it could be read.
///
/// Either the foot or the fences must be as they were written, and agree with what the walk found: a file that is cut off, where
/// nothing whole follows, would otherwise be taken for a shorter pack.
///
/// # Errors
/// The disk's, or corruption, if the walk does not come to where the fences begin: then nothing may be said of what is not in the
/// pack.
pub(super) async fn fences<D: Disk>(
    file: &PackFile<D>,
    pack: &PackName,
    foot: Option<&Foot>,
) -> Result<Fences> {
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
        let end = at + (fences.bytes() + FOOT_BYTES) as u64;
        if at != group || end != file.bytes() {
            return Err(file.corrupt(at, "neither a slice nor a directory block begins here"));
        }
        let (bytes, checksum, blocks) = fences.finish(at);
        let range = at..at + bytes.len() as u64;
        let is_vouched_for = match foot {
            Some(foot) => {
                (foot.fences(), foot.fences_checksum(), foot.blocks()) == (range.clone(), checksum, blocks)
            }
            None => blocks > 0 && window.get(file, range.clone()).await? == bytes,
        };
        if !is_vouched_for {
            return Err(file.corrupt(at, "neither the fences nor the foot are as they were written"));
        }
        let foot = Foot::new(&range, checksum, blocks, [0; 3], 0);
        return Ok(Fences::decode(bytes, &foot, pack).map_err(|error| file.damaged(&error))?);
    }
}
