//! A filesystem on a loop device of its own, so that it has an I/O scheduler of its own.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mounted until it is dropped.
#[derive(Debug)]
pub(super) struct LoopDevice {
    device: String,
    mounted: bool,
    pub(super) folder: PathBuf,
}

impl LoopDevice {
    /// ext4 over a new file of so many bytes in `dir`; needs to be root.
    ///
    /// # Errors
    /// If a step fails; what was made before is undone.
    pub(super) fn new(dir: &Path, bytes: u64) -> Result<Self> {
        let image = dir.join("image");
        std::fs::File::create(&image)?.set_len(bytes)?;
        let device = run("losetup", &["--find", "--show", "--direct-io=on", &image.to_string_lossy()])?;
        let mut this = Self { device: device.trim().to_owned(), mounted: false, folder: dir.join("mount") };
        std::fs::create_dir(&this.folder)?;
        run("mkfs.ext4", &["-q", "-E", "lazy_itable_init=0", &this.device])?;
        run("mount", &[&this.device, &this.folder.to_string_lossy()])?;
        this.mounted = true;
        Ok(this)
    }

    /// Chooses the I/O scheduler.
    ///
    /// # Errors
    /// If the kernel has no such one.
    pub(super) fn schedule(&self, scheduler: &str) -> Result<()> {
        let name = Path::new(&self.device).file_name().unwrap_or_default().to_string_lossy().into_owned();
        std::fs::write(format!("/sys/block/{name}/queue/scheduler"), scheduler)
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let mut undo = Vec::new();
        if self.mounted {
            undo.push(run("umount", &[&self.folder.to_string_lossy()]));
        }
        undo.push(run("losetup", &["--detach", &self.device]));
        for error in undo.into_iter().filter_map(std::result::Result::err) {
            eprintln!("logtank-bench: cleaning up: {error}");
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| Error::new(error.kind(), format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::other(format!(
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    )))
}
