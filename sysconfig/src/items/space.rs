use crate::Place;
use crate::report::Item;

/// Segments made ready, the ballast, and what arrives while dealing is behind.
const RAW_FREE_BYTES_MIN: u64 = 2 << 30;
/// Of a filesystem, in percent: filesystems get slow and scattered when nearly full.
const FREE_PERCENT_MIN: u64 = 10;

pub(super) fn items(raw: &Place, data: &Place) -> Vec<Item> {
    let mut items = vec![room("free space for the raw log", raw, RAW_FREE_BYTES_MIN)];
    if raw.mount_id != data.mount_id {
        items.push(room("free space for the indexes", data, RAW_FREE_BYTES_MIN));
    }
    items.extend(files(data));
    items
}

fn room(name: &str, place: &Place, least: u64) -> Item {
    let wanted_bytes = least.max(place.bytes / 100 * FREE_PERCENT_MIN);
    let gib = |bytes: u64| format!("{}.{} GiB", bytes >> 30, ((bytes % (1 << 30)) * 10) >> 30);
    Item::new(
        name,
        place.free_bytes >= wanted_bytes,
        format!("{} of {}", gib(place.free_bytes), gib(place.bytes)),
        format!("at least {} ({FREE_PERCENT_MIN} %, and at least {})", gib(wanted_bytes), gib(least)),
        "When less than free_bytes_min is left, batches are refused. A filesystem gets slow before that.",
    )
    .by_hand("lower history_max_bytes or history_max_age, or use a larger drive")
}

/// Nothing where the filesystem has no bound.
fn files(data: &Place) -> Option<Item> {
    let percent = (data.free_files * 100).checked_div(data.files)?;
    let item = Item::new(
        "free inodes for the indexes",
        percent >= FREE_PERCENT_MIN,
        format!("{} of {}", data.free_files, data.files),
        format!("at least {FREE_PERCENT_MIN} %"),
        "An index takes four inodes and two for each segment: a filesystem with many small indexes can run out of them \
         before it is full.",
    );
    Some(item.by_hand("use XFS, or make the filesystem with more of them (mkfs.ext4 -i 8192)"))
}
