//! How a segment in use gets its name.

use std::path::Path;

use crate::error::Result;
use crate::format::names::RawName;
use crate::io::disk::{Disk, DiskFile, Transfer};
use crate::store::Store;

/// Gives a file in use its name in `raw/live/`, after making its bytes durable: so a file with such a name has a
/// valid header, or is damaged. `false` if the file was not there: it was renamed or archived meanwhile.
pub(in crate::raw_log) async fn name_durably<D: Disk>(
    store: &Store<D>,
    from: &Path,
    name: RawName,
) -> Result<bool> {
    let synced = async { store.disk().open_write(from, Transfer::Direct).await?.sync().await };
    match synced.await {
        Err(error) if error.is_not_found() => return Ok(false),
        synced => synced?,
    }
    name_durable(store, from, name).await
}

/// The same for a file whose header is known to be durable.
pub(in crate::raw_log) async fn name_durable<D: Disk>(
    store: &Store<D>,
    from: &Path,
    name: RawName,
) -> Result<bool> {
    if !store.rename(from, &store.layout().live(name)).await? {
        return Ok(false);
    }
    store.disk().sync_folder(&store.layout().raw_live()).await?;
    Ok(true)
}
