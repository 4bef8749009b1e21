//! Drives that are full or fail: filesystems on loop devices, so only for root, and not in every run:
//! `cargo test -p logtank-os --test os drives -- --ignored`.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use logtank_engine::io::buffers::AlignedBuf;
use logtank_engine::io::disk::{Disk, DiskFile, Transfer};
use logtank_os::disk::{Throttle, UringDisk, block_on};
use rustix::fs::{Mode, OFlags, open, syncfs};
use rustix::process::geteuid;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A mounted filesystem, unmounted when dropped.
struct Mounted {
    place: PathBuf,
}

impl Mounted {
    fn new(place: &Path, arguments: &[&str]) -> Self {
        std::fs::create_dir(place).unwrap();
        run("mount", &[arguments, &[place.to_str().unwrap()]].concat());
        Self { place: place.to_owned() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a failed assertion may have left files open.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

/// An ext4 filesystem of `image_mib` on a drive that has room for `drive_mib` only.
struct Drive {
    mounted: Mounted,
    _below: Mounted,
    _folder: TempDir,
}

impl Drive {
    fn new(image_mib: usize, drive_mib: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        let below = Mounted::new(&below, &["-t", "tmpfs", "-o", &format!("size={drive_mib}m"), "none"]);
        let image = below.place.join("image");
        std::fs::File::create(&image).unwrap().set_len((image_mib * MIB) as u64).unwrap();
        run("mkfs.ext4", &["-q", "-O", "^has_journal", image.to_str().unwrap()]);
        let mounted = Mounted::new(&folder.path().join("drive"), &["-o", "loop", image.to_str().unwrap()]);
        Self { mounted, _below: below, _folder: folder }
    }

    fn place(&self) -> &Path {
        &self.mounted.place
    }
}

fn full_of(byte: u8, len: usize) -> AlignedBuf {
    let mut buffer = AlignedBuf::with_capacity(len);
    buffer.set_len(len);
    buffer.fill(byte);
    buffer
}

#[test]
#[ignore = "needs root and a loop device"]
fn a_full_drive_is_said_to_be_full_and_heals() {
    if !geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let drive = Drive::new(16, 64);
    let disk = UringDisk::new(&[drive.place()], Throttle::none()).unwrap();
    block_on(async {
        for transfer in [Transfer::Direct, Transfer::Cached] {
            let path = drive.place().join("file");
            let file = disk.create(&path, transfer).await.unwrap();
            let mut buffer = full_of(7, 3 * MIB + 5);
            let mut at = 0;
            let error = loop {
                let result;
                (result, buffer) = file.write_at(buffer, at).await;
                assert_eq!(
                    (buffer.len(), buffer[buffer.len() - 1]),
                    (3 * MIB + 5, 7),
                    "the buffer comes back"
                );
                match result {
                    Ok(()) => at += buffer.len() as u64,
                    Err(error) => break error,
                }
                assert!(at < 16 * MIB as u64);
            };
            assert!(error.is_full() && error.operation == "write", "{error}");
            let error = file.allocate(32 * MIB as u64).await.unwrap_err();
            assert!(error.is_full() && error.operation == "allocate", "{error}");
            file.set_len(4096).await.unwrap();
            file.write_at(full_of(9, 2 * MIB), 4096).await.0.unwrap();
            file.sync().await.unwrap();
            disk.sync_filesystem(&path).await.unwrap();
            disk.remove_file(&path).await.unwrap();
        }
    })
    .unwrap();
}

#[test]
#[ignore = "needs root and a loop device"]
fn a_write_that_was_lost_is_reported_by_every_later_sync_of_the_filesystem() {
    if !geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    // The drive fails when more than 8 MiB were written to it, which cached writes notice too late.
    let drive = Drive::new(64, 8);
    let disk = UringDisk::new(&[drive.place()], Throttle::none()).unwrap();
    block_on(async {
        let file = disk.create(&drive.place().join("file"), Transfer::Cached).await.unwrap();
        file.write_at(full_of(7, 30 * MIB), 0).await.0.unwrap();
        // Another process syncs, and is told of it.
        let other = || open(drive.place(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let _ = syncfs(other().as_fd());
        syncfs(other().as_fd())
            .expect("whoever comes later is told nothing: that is what makes this test needed");
        for _ in 0..2 {
            let error = disk.sync_filesystem(drive.place()).await.unwrap_err();
            assert_eq!(error.operation, "syncfs", "{error}");
            println!("{error}");
        }
        // A clone is the same disk: what one job was told holds for all of them.
        assert!(disk.clone().sync_filesystem(drive.place()).await.is_err());
        let error = file.sync().await.unwrap_err();
        assert_eq!(error.operation, "fdatasync", "{error}");
    })
    .unwrap();
}
