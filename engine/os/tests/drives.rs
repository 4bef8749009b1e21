//! Drives that are full or fail: filesystems on loop devices, so only for root, and not in every run:
//! `cargo test -p logtank-os --test os drives -- --ignored`.

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use logtank_engine::error::Verb;
use logtank_engine::io::{AlignedBuf, Disk, DiskFile, Transfer};
use logtank_engine::jobs::Policy;
use logtank_os::append_signal::{AppendSignal, ShardSignal};
use logtank_os::clock;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_os::priority::{IoPriority, set_io_priority};
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
            assert!(error.is_full() && error.verb == Verb::Write, "{error}");
            let error = file.allocate(32 * MIB as u64).await.unwrap_err();
            assert!(error.is_full() && error.verb == Verb::Allocate, "{error}");
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
            assert_eq!(error.verb, Verb::Syncfs, "{error}");
            println!("{error}");
        }
        // A clone is the same disk: what one job was told holds for all of them.
        assert!(disk.clone().sync_filesystem(drive.place()).await.is_err());
        let error = file.sync().await.unwrap_err();
        assert_eq!(error.verb, Verb::Fdatasync, "{error}");
    })
    .unwrap();
}

/// Appends 4 KiB a thousand times a second for two seconds, telling the signal. Returns latencies, ascending.
fn append(path: &Path, signal: &ShardSignal) -> Vec<Duration> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).custom_flags(libc::O_DIRECT).open(path);
    let file = file.unwrap();
    let block = full_of(1, 4096);
    let mut latencies: Vec<Duration> = (0..2_000)
        .map(|index| {
            let began = clock::mono();
            signal.began(began);
            file.write_all_at(&block, index % 1_000 * 4096).unwrap();
            let ended = clock::mono();
            signal.completed(ended, ended.since(began), None);
            std::thread::sleep(Duration::from_millis(1));
            ended.since(began)
        })
        .collect();
    latencies.sort();
    latencies
}

/// Reads and writes long stretches, sixteen at a time, until told to stop. Returns the bytes moved.
fn work(folder: &Path, throttle: Throttle, stop: &Arc<AtomicBool>) -> u64 {
    set_io_priority(IoPriority::Idle).unwrap();
    let disk = UringDisk::new(&[folder], throttle).unwrap();
    block_on(async {
        let file = Rc::new(disk.open_write(&folder.join("background"), Transfer::Direct).await.unwrap());
        let workers: Vec<_> = (0..16u64)
            .map(|worker| {
                let (file, stop) = (file.clone(), stop.clone());
                tokio_uring::spawn(async move {
                    let mut buffer = full_of(7, MIB);
                    let mut moved = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let at = worker * 4 * MIB as u64;
                        let result;
                        (result, buffer) = match worker % 2 {
                            0 => file.read_at(buffer, at).await,
                            _ => file.write_at(buffer, at).await,
                        };
                        result.unwrap();
                        moved += MIB as u64;
                    }
                    moved
                })
            })
            .collect();
        let mut moved = 0;
        for worker in workers {
            moved += worker.await.unwrap();
        }
        moved
    })
    .unwrap()
}

#[test]
#[ignore = "takes six seconds, and says something only on a machine without other work"]
fn appends_stay_quick_beside_a_background_that_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("background"), vec![7; 64 * MIB]).unwrap();
    let journal = folder.path().join("journal");
    std::fs::write(&journal, vec![0; 1_000 * 4096]).unwrap();
    run("sync", &["-f", folder.path().to_str().unwrap()]);
    let signal = AppendSignal::new(1);
    let measure = |what: &str, throttle: Option<fn(&Arc<AppendSignal>) -> Throttle>| {
        let stop = Arc::new(AtomicBool::new(false));
        std::thread::scope(|scope| {
            let background = throttle.map(|throttle| {
                let (folder, stop, signal) = (folder.path(), &stop, &signal);
                scope.spawn(move || work(folder, throttle(signal), stop))
            });
            let latencies = append(&journal, &signal.shard(0));
            stop.store(true, Ordering::Relaxed);
            let moved = background.map_or(0, |background| background.join().unwrap());
            let at = |share: usize| latencies[latencies.len() * share / 1_000];
            println!("{what}: append p50 {:?} p99 {:?}, background {} MiB", at(500), at(990), moved >> 20);
            at(990)
        })
    };
    measure("alone", None);
    let beside = measure("background at will", Some(|_| Throttle::none()));
    let governed =
        measure("background governed", Some(|signal| Throttle::new(Policy::default(), signal.clone())));
    assert!(governed < beside, "{governed:?} {beside:?}");
}
