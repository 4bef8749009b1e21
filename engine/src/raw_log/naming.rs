//! How a segment in use gets its name.

use std::path::Path;

use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::names::RawName;
use crate::io::disk::{Disk, DiskFile, Transfer};

/// Gives a file in use its name in `raw/live/`, after making its bytes durable: so a file with such a name has a
/// valid header, or is damaged. `false` if the file was not there: it was renamed or archived meanwhile.
pub(super) async fn name_durably<D: Disk>(
    disk: &D,
    layout: &Layout,
    from: &Path,
    name: RawName,
) -> Result<bool> {
    let synced = async { disk.open_write(from, Transfer::Direct).await?.sync().await };
    match synced.await {
        Err(error) if error.is_not_found() => return Ok(false),
        synced => synced?,
    }
    name_durable(disk, layout, from, name).await
}

/// The same for a file whose header is known to be durable.
pub(super) async fn name_durable<D: Disk>(
    disk: &D,
    layout: &Layout,
    from: &Path,
    name: RawName,
) -> Result<bool> {
    match disk.rename(from, &layout.live(name)).await {
        Err(error) if error.is_not_found() => return Ok(false),
        renamed => renamed?,
    }
    disk.sync_folder(&layout.raw_live()).await?;
    Ok(true)
}
