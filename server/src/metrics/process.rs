//! Memory, descriptors and threads of this process, under their customary names.

use std::fmt;

use logtank_os::process::usage;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Without /proc there is nothing to say, and no reason to fail the others.
        let Ok(usage) = usage() else { return Ok(()) };
        let gauges = [
            ("process_resident_memory_bytes", "Memory of this process that is in RAM.", usage.resident_bytes),
            ("process_peak_resident_memory_bytes", "The most that it ever was.", usage.peak_resident_bytes),
            ("process_open_fds", "File descriptors that this process has open.", usage.open_files),
            ("process_threads", "Threads of this process, with those of its rings.", usage.threads),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}
