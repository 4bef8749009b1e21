//! What a host takes at one moment.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use logtank_tests::metrics::metric;

/// Names of the figures, with what they are divided by to be shown, and the unit of that.
pub(crate) const FIGURES: [(&str, f64, &str); 4] = [
    ("resident memory", 1e6, "MB"),
    ("file descriptors", 1.0, ""),
    ("files", 1.0, ""),
    ("disk use", 1e6, "MB"),
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    /// In the order of [`FIGURES`].
    pub(crate) figures: [f64; 4],
}

impl Sample {
    /// `None` while the host does not answer.
    pub(crate) fn take(begin: Instant, metrics: SocketAddr, data: &Path) -> Option<Self> {
        let resident = metric(metrics, "process_resident_memory_bytes")?;
        let descriptors = metric(metrics, "process_open_fds")?;
        let (files, bytes) = disk_use(data);
        Some(Self { seconds: begin.elapsed().as_secs_f64(), figures: [resident, descriptors, files, bytes] })
    }

    /// From a line of JSON as [`Self::json`] writes it; `None` for another line.
    pub(crate) fn from_json(line: &str) -> Option<Self> {
        let number = |name: &str| -> Option<f64> {
            let (_, value) = line.split_once(&format!("\"{name}\":"))?;
            value.split([',', '}']).next()?.parse().ok()
        };
        let figures =
            [number("resident_bytes")?, number("open_fds")?, number("files")?, number("disk_bytes")?];
        Some(Self { seconds: number("seconds")?, figures })
    }

    pub(crate) fn json(&self) -> String {
        let [resident, descriptors, files, bytes] = self.figures;
        format!(
            "{{\"seconds\":{:.1},\"resident_bytes\":{resident},\"open_fds\":{descriptors},\"files\":{files},\"disk_bytes\":{bytes}}}",
            self.seconds
        )
    }
}

/// Files and allocated bytes beneath a folder; what vanishes meanwhile is passed over.
fn disk_use(folder: &Path) -> (f64, f64) {
    let (mut files, mut bytes) = (0.0, 0.0);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            let (more_files, more_bytes) = disk_use(&entry.path());
            files += more_files;
            bytes += more_bytes;
        } else {
            files += 1.0;
            bytes += metadata.blocks() as f64 * 512.0;
        }
    }
    (files, bytes)
}
