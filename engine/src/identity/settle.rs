use super::found::Verdict;
use super::mark::{Identity, Written};
use crate::io::disk::{Disk, DiskResult};
use crate::mutant::or_bug;
use crate::store::Store;

/// Does what a verdict says, durably; both folders are there, and nobody else does this at the same time. `fresh` is the
/// identity to give, if one is to be given. A crash anywhere leaves what the next start completes.
///
/// # Errors
/// The disk's.
pub async fn settle<D: Disk>(store: &Store<D>, verdict: Verdict, fresh: Identity) -> DiskResult<()> {
    let (data, raw) = (store.layout().identity(), store.layout().raw_identity());
    match verdict {
        Verdict::Keep => {}
        Verdict::Complete(identity) => {
            let text = Written::Final(identity).encode();
            // Whoever wrote it may have been killed before it was durable.
            store.publish(&raw, text.as_bytes()).await?;
            store.publish(&data, text.as_bytes()).await?;
        }
        Verdict::Give => {
            let first = or_bug!(FinalTooEarly, Written::Pending(fresh), Written::Final(fresh));
            store.publish(&data, first.encode().as_bytes()).await?;
            store.publish(&raw, Written::Final(fresh).encode().as_bytes()).await?;
            store.publish(&data, Written::Final(fresh).encode().as_bytes()).await?;
        }
    }
    // Last, so that what it allows is not left half-done.
    if store.disk().metadata(&store.layout().accept_new_raw()).await?.is_some() {
        store.disk().remove_file(&store.layout().accept_new_raw()).await?;
        store.disk().sync_folder(store.layout().data()).await?;
    }
    Ok(())
}
