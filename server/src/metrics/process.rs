//! Memory, descriptors and threads of this process, under their customary names.

use logtank_os::process::usage;

use super::exposition::{Exposition, Kind};

pub(super) fn export(to: &mut Exposition) {
    let help = "Lines of the log that standard error did not take.";
    to.family("logtank_log_lines_dropped_total", help, Kind::Counter);
    to.value("logtank_log_lines_dropped_total", "", crate::stderr::dropped());
    // Without /proc there is nothing to say, and no reason to fail the others.
    let Ok(usage) = usage() else { return };
    let gauges = [
        ("process_resident_memory_bytes", "Memory of this process that is in RAM.", usage.resident_bytes),
        ("process_peak_resident_memory_bytes", "The most that it ever was.", usage.peak_resident_bytes),
        ("process_open_fds", "File descriptors that this process has open.", usage.open_files),
        ("process_max_fds", "The most file descriptors that it may have open.", usage.open_files_max),
        ("process_threads", "Threads of this process, with those of its rings.", usage.threads),
    ];
    for (name, help, value) in gauges {
        to.family(name, help, Kind::Gauge);
        to.value(name, "", value);
    }
    let name = "process_start_time_seconds";
    to.family(name, "When this process began, in seconds since 1970.", Kind::Gauge);
    to.value(name, "", usage.began_unix.as_secs_f64());
}
