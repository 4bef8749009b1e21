//! Memory, file descriptors, threads and processor time of this process, under their customary names.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

#[derive(Debug)]
pub(super) struct ProcessCollector;

/// What /proc/self says; zero where it can't be read.
#[derive(Debug, Default, PartialEq)]
struct Process {
    resident_bytes: u64,
    threads: u64,
    open_files: u64,
    processor_seconds: f64,
}

/// Ticks a second of the times in /proc: fixed for user space on Linux.
const TICKS: f64 = 100.0;

impl Process {
    fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let open_files = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
        Self { open_files, ..Self::parse(&status, &stat) }
    }

    fn parse(status: &str, stat: &str) -> Self {
        let line = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        // The second field is the program's name and may hold spaces; the third follows its closing bracket.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        Self {
            resident_bytes: line("VmRSS:").unwrap_or(0) * 1024,
            threads: line("Threads:").unwrap_or(0),
            open_files: 0,
            processor_seconds: (ticks() + ticks()) / TICKS,
        }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let process = Process::read();
        let gauges = [
            ("process_resident_memory_bytes", "Memory of this process that is in RAM.", process.resident_bytes),
            ("process_open_fds", "File descriptors that this process has open.", process.open_files),
            ("process_threads", "Threads of this process, with those of its rings.", process.threads),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        let (name, help) = ("process_cpu_seconds", "Processor time that this process has used.");
        encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&process.processor_seconds, None)
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn proc_is_read_right_whatever_the_program_is_called() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t7\n";
        let stat = "1 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 7";
        let process = Process::parse(status, stat);
        let expected = Process { resident_bytes: 2 << 20, threads: 7, open_files: 0, processor_seconds: 2.0 };
        assert_eq!(process, expected);
        let own = Process::read();
        assert!(own.resident_bytes > 0 && own.open_files > 0 && own.threads > 0, "{own:?}");
    }
}
