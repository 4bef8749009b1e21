use crate::format::layout::Layout;
use crate::store::Store;

/// A disk and a layout as one thing; the disk's clone is the same disk.
#[must_use]
pub fn store<D: Clone>(disk: &D, layout: &Layout) -> Store<D> {
    Store::new(disk.clone(), layout.clone())
}
