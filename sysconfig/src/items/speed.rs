//! What was measured, held against what the promises need.

use crate::Measured;
use crate::report::Item;

/// A tenth of the default sync interval: the sync has to end well before its age is reached.
const SYNC_P99_MICROS_MAX: u64 = 100_000;
/// What one shard appends without effort over a network of a gigabit.
const BYTES_PER_SECOND_MIN: u64 = 100_000_000;
const WRITE_P99_MICROS_MAX: u64 = 20_000;

pub(super) fn items(measured: Option<&Measured>) -> Vec<Item> {
    let Some(measured) = measured else { return Vec::new() };
    let millis = |micros: u64| format!("{}.{:03} ms", micros / 1000, micros % 1000);
    let latency = |latency: &crate::Latency| {
        format!(
            "p50 {}, p99 {}, most {}",
            millis(latency.p50_micros),
            millis(latency.p99_micros),
            millis(latency.max_micros)
        )
    };
    let slow = "look for other load on the drive, then for a faster one; or live with later answers";
    vec![
        Item::new(
            "write latency",
            measured.write.p99_micros <= WRITE_P99_MICROS_MAX,
            latency(&measured.write),
            format!("p99 at most {}", millis(WRITE_P99_MICROS_MAX)),
            "With direct appends a batch is answered when its write has ended; clients give up after 500 ms.",
        )
        .by_hand(slow),
        Item::new(
            "fdatasync latency",
            measured.sync.p99_micros <= SYNC_P99_MICROS_MAX,
            latency(&measured.sync),
            format!("p99 at most {}", millis(SYNC_P99_MICROS_MAX)),
            "It has to end well within the sync interval (1 s), or acknowledgements wait for it. With sync = always each \
             answer takes this long.",
        )
        .by_hand(slow),
        Item::new(
            "bandwidth",
            measured.bytes_per_second >= BYTES_PER_SECOND_MIN,
            format!("{} MB/s", measured.bytes_per_second / 1_000_000),
            format!("at least {} MB/s", BYTES_PER_SECOND_MIN / 1_000_000),
            "Each byte received is written to the raw log, read again by the dealer, and zeroed ahead of time.",
        )
        .by_hand(slow),
    ]
}
