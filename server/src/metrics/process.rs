//! Memory, descriptors and threads of this process, under their customary names.

use logtank_os::process::usage;

use super::host::HostTable;

/// Reads them anew. Without /proc there is nothing to say, and no reason to fail the others.
pub(super) fn refresh(host: &HostTable) {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
    let float = |value: u64| value as f64;
    let usage = usage().ok();
    let of = |value: fn(&logtank_os::process::Usage) -> u64| {
        usage.as_ref().map_or(f64::NAN, |usage| float(value(usage)))
    };
    host.resident_bytes.set(of(|usage| usage.resident_bytes));
    host.peak_resident_bytes.set(of(|usage| usage.peak_resident_bytes));
    host.open_files.set(of(|usage| usage.open_files));
    host.open_files_max.set(of(|usage| usage.open_files_max));
    host.threads.set(of(|usage| usage.threads));
    host.start_time.set(usage.as_ref().map_or(f64::NAN, |usage| usage.began_unix.as_secs_f64()));
}
