use super::pack_file::{PackFile, Window};
use crate::error::{Corruption, Error, Result};
use crate::format::pack::{Directory, DirectoryBuilder, Fences, LABEL_BYTES_MAX, Label, PackError, PackName};
use crate::io::disk::Disk;
use crate::limits::SIDECAR_BLOCK_BYTES;

/// A directory block as it was read, or made again from the labels of its slices.
pub(super) struct Group {
    block: Vec<u8>,
    finding: Option<Corruption>,
}

impl Group {
    /// Reads directory block number `number`. Where it is damaged, it is made again from the labels, which takes a read for
    /// each slice that it lists.
    ///
    /// # Errors
    /// The disk's, or the corruption of the block, if one of the labels is damaged too.
    pub(super) async fn read<D: Disk>(
        file: &PackFile<D>,
        pack: &PackName,
        fences: &Fences,
        number: usize,
    ) -> Result<Self> {
        let (fence, begin) = (fences.get(number), fences.begin(number));
        let mut window = Window::of(fence.length());
        let block = window.get(file, fence.offset()..fence.end()).await?.to_vec();
        let error = match Directory::decode(&block, fence.offset(), pack) {
            Ok(directory) if directory.first_label() == begin => return Ok(Self { block, finding: None }),
            Ok(_) => PackError { offset: fence.offset(), what: "the directory block leaves slices out" },
            Err(error) => error,
        };
        let finding = file.damaged(&error);
        match from_labels(file, pack, begin..fence.offset()).await {
            Ok(block) if block.len() == fence.length() => Ok(Self { block, finding: Some(finding) }),
            Ok(_) | Err(Error::Corrupt(_)) => Err(finding.into()),
            Err(error) => Err(error),
        }
    }

    /// What is listed.
    pub(super) fn directory(&self) -> Directory<'_> {
        Directory::decoded_before(&self.block)
    }

    /// What is wrong with the block itself.
    pub(super) const fn finding(&self) -> Option<&Corruption> {
        self.finding.as_ref()
    }
}

/// The directory block of the slices that fill `range`, where it would stand after them.
async fn from_labels<D: Disk>(
    file: &PackFile<D>,
    pack: &PackName,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>> {
    let fail = |error: PackError| Error::from(file.damaged(&error));
    let refuse = |offset, what| fail(PackError { offset, what });
    let mut window = Window::over(file, SIDECAR_BLOCK_BYTES);
    let mut builder = DirectoryBuilder::default();
    let mut at = range.start;
    while at < range.end {
        let bytes = window.get(file, at..range.end.min(at + LABEL_BYTES_MAX as u64)).await?;
        let label = Label::decode(bytes, at).map_err(fail)?;
        if !builder.has_room(label.entry_bytes()) {
            return Err(refuse(at, "more slices than a directory block lists"));
        }
        builder.push(at, &label.entry);
        at = label.place.end();
    }
    if at != range.end || builder.is_empty() {
        return Err(refuse(range.end, "the slices do not end where the directory block begins"));
    }
    let block = builder.finish(at);
    Directory::decode(&block, at, pack).map_err(fail)?;
    Ok(block)
}
