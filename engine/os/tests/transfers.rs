//! Reads and writes at any offset and length, cached and direct, against a model in memory.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use logtank_engine::error::Verb;
use logtank_engine::io::{AlignedBuf, Disk, DiskFile, Transfer};
use logtank_engine::jobs::Policy;
use logtank_engine::time::MonoNanos;
use logtank_os::append_signal::AppendSignal;
use logtank_os::clock;
use logtank_os::disk::{Throttle, UringDisk, UringFile, block_on};
use rustix::fs::OFlags;

/// Numbers that look random and are the same each time.
struct Numbers(fastrand::Rng);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0.usize(..bound)
    }

    /// Often at or beside a block's boundary, where mistakes are.
    fn place(&mut self, bound: usize) -> usize {
        match self.below(4) {
            0 => self.below(bound),
            1 => self.below(bound / 4096) * 4096,
            2 => (self.below(bound / 4096) * 4096 + 1).min(bound),
            _ => (self.below(bound / 4096) * 4096).saturating_sub(1),
        }
    }
}

async fn read_all(file: &UringFile, capacity: usize) -> Vec<u8> {
    let (result, buffer) = file.read_at(AlignedBuf::with_capacity(capacity), 0).await;
    result.unwrap();
    buffer.to_vec()
}

fn against_a_model(folder: &Path, transfer: Transfer, throttle: Throttle, seed: u64) {
    const BYTES_MAX: usize = 40 * 4096;
    let disk = UringDisk::new(&[folder], throttle).unwrap();
    let path = folder.join("file");
    let mut numbers = Numbers(fastrand::Rng::with_seed(seed));
    let mut model: Vec<u8> = Vec::new();
    block_on(async {
        let mut file = disk.create(&path, transfer).await.unwrap();
        let as_opened = format!("{file:?}");
        for step in 0..150 {
            match numbers.below(10) {
                0..4 => {
                    let at = numbers.place(BYTES_MAX / 2);
                    let len = numbers.place(BYTES_MAX / 2);
                    let bytes: Vec<u8> = (0..len).map(|index| (index * 7 + step + 1) as u8).collect();
                    let (result, buffer) = file.write_at(AlignedBuf::copy_of(&bytes), at as u64).await;
                    result.unwrap();
                    assert_eq!(&*buffer, bytes, "the buffer comes back as it was");
                    if len > 0 {
                        model.resize(model.len().max(at + len), 0);
                        model[at..at + len].copy_from_slice(&bytes);
                    }
                }
                4..8 => {
                    let at = numbers.place(BYTES_MAX);
                    let mut buffer = AlignedBuf::with_capacity(numbers.place(BYTES_MAX / 2));
                    buffer.whole_mut().fill(0xee);
                    let end = model.len().min(at + buffer.capacity());
                    let (result, buffer) = file.read_at(buffer, at as u64).await;
                    result.unwrap();
                    assert!(*buffer == model[at.min(end)..end], "seed {seed} step {step}: {at}..{end}");
                }
                8 => {
                    let len = numbers.place(BYTES_MAX);
                    file.set_len(len as u64).await.unwrap();
                    model.resize(len, 0);
                }
                _ => {
                    file.sync().await.unwrap();
                    file = disk.open_write(&path, transfer).await.unwrap();
                }
            }
            assert_eq!(file.len().await.unwrap(), model.len() as u64, "seed {seed} step {step}");
            assert_eq!(format!("{file:?}"), as_opened, "a refused transfer is a mistake here");
        }
        let other_way = match transfer {
            Transfer::Cached => Transfer::Direct,
            Transfer::Direct => Transfer::Cached,
        };
        let file = disk.open(&path, other_way).await.unwrap();
        assert!(read_all(&file, BYTES_MAX).await == model, "seed {seed}");
    })
    .unwrap();
    assert!(std::fs::read(&path).unwrap() == model, "seed {seed}");
}

#[test]
fn any_offset_and_length_is_right() {
    for seed in 1..4 {
        for transfer in [Transfer::Cached, Transfer::Direct] {
            let folder = tempfile::tempdir().unwrap();
            against_a_model(folder.path(), transfer, Throttle::none(), seed * 0x9e37_79b9);
        }
    }
}

#[test]
fn any_offset_and_length_is_right_in_short_pieces() {
    // Long transfers are split also where the length of a piece is no multiple of a block.
    let policy = Policy { chunk_bytes_idle: 3 * 4096 + 100, ..Policy::default() };
    for transfer in [Transfer::Cached, Transfer::Direct] {
        let folder = tempfile::tempdir().unwrap();
        let throttle = Throttle::new(policy.clone(), AppendSignal::new(1));
        against_a_model(folder.path(), transfer, throttle, 77);
    }
}

#[test]
fn a_filesystem_in_memory_does_as_well() {
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else {
        println!("skipped: no /dev/shm");
        return;
    };
    against_a_model(folder.path(), Transfer::Direct, Throttle::none(), 5);
}

fn here(test: impl AsyncFnOnce(UringDisk, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let disk = UringDisk::new(&[folder.path()], Throttle::none()).unwrap();
    block_on(test(disk, folder.path())).unwrap();
}

#[test]
fn an_odd_end_does_not_stop_a_file_from_being_direct() {
    here(async |disk, folder| {
        let path = folder.join("file");
        let file = disk.create(&path, Transfer::Direct).await.unwrap();
        let direct = format!("{file:?}").contains("direct: true");
        if !direct {
            println!("skipped: no direct transfers in {}", folder.display());
            return;
        }
        file.write_at(AlignedBuf::copy_of(&[1; 3 * 4096 + 5]), 0).await.0.unwrap();
        file.sync().await.unwrap();
        assert!(flags(&path).contains(OFlags::DIRECT), "the flag is set again");
    });
}

#[test]
fn a_file_that_ends_at_a_sector_within_a_block_is_read_to_its_end() {
    here(async |disk, folder| {
        for sectors in 1..=17 {
            let path = folder.join(format!("file-{sectors}"));
            let bytes = vec![sectors; 512 * usize::from(sectors)];
            std::fs::write(&path, &bytes).unwrap();
            let file = disk.open(&path, Transfer::Direct).await.unwrap();
            let whole = tokio::time::timeout(Duration::from_secs(20), read_all(&file, 16 * 4096)).await;
            assert_eq!(whole.expect("it reads for ever"), bytes, "{sectors} sectors");
        }
    });
}

/// Flags of this process's one descriptor of the file.
fn flags(path: &Path) -> OFlags {
    let is_it =
        |entry: &std::fs::DirEntry| std::fs::read_link(entry.path()).is_ok_and(|target| target == path);
    let mut entries = std::fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap);
    let name = entries.find(is_it).unwrap().file_name().into_string().unwrap();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{name}")).unwrap();
    let octal = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    OFlags::from_bits_retain(u32::from_str_radix(octal.trim(), 8).unwrap())
}

#[test]
fn the_buffer_comes_back_from_a_failure() {
    here(async |disk, folder| {
        let path = folder.join("file");
        std::fs::write(&path, "before").unwrap();
        for transfer in [Transfer::Cached, Transfer::Direct] {
            let file = disk.open(&path, transfer).await.unwrap();
            let (result, buffer) = file.write_at(AlignedBuf::copy_of(b"after"), 0).await;
            let error = result.unwrap_err();
            assert_eq!((error.verb, error.path.as_path()), (Verb::Write, path.as_path()));
            assert_eq!(&*buffer, b"after");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        for offset in [u64::MAX, u64::MAX - 4096, i64::MAX as u64] {
            let file = disk.open(&path, Transfer::Cached).await.unwrap();
            let (result, _) = file.read_at(AlignedBuf::with_capacity(1), offset).await;
            assert_eq!(result.unwrap_err().source.kind(), std::io::ErrorKind::InvalidInput);
        }
        let file = disk.open(folder, Transfer::Cached).await.unwrap();
        let (result, buffer) = file.read_at(AlignedBuf::with_capacity(1), 0).await;
        assert_eq!(result.unwrap_err().verb, Verb::Read);
        assert!(buffer.is_empty());
    });
}

/// Lets a future begin, and no more.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// This process does nothing else, so that its descriptors can be counted.
#[test]
fn what_is_given_up_half_way_leaves_nothing_behind() {
    if crate::other_process::role().is_none() {
        let test = "transfers::what_is_given_up_half_way_leaves_nothing_behind";
        let mut other = crate::other_process::OtherProcess::start(test, "alone", |_| {});
        assert_eq!(other.hear(), "well");
        return;
    }
    here(async |disk, folder| {
        let path = folder.join("file");
        std::fs::write(&path, vec![7; 2 << 20]).unwrap();
        let before = open_files();
        for round in 0..50 {
            for transfer in [Transfer::Cached, Transfer::Direct] {
                let file = disk.open_write(&path, transfer).await.unwrap();
                let mut buffer = AlignedBuf::with_capacity(1 << 20);
                buffer.set_len(1 << 20);
                buffer.fill(7);
                assert!(
                    poll_once(pin!(file.read_at(AlignedBuf::with_capacity(1 << 20), round))).is_pending()
                );
                assert!(poll_once(pin!(file.write_at(buffer, 4096 * round))).is_pending());
                assert!(poll_once(pin!(file.sync())).is_pending());
                assert!(poll_once(pin!(disk.open(&path, transfer))).is_pending());
                // A helper thread may be done before this one looks.
                let _ = poll_once(pin!(file.set_len(2 << 20)));
            }
        }
        // Whatever was under way is behind what is asked now, at the latest after some more questions.
        let deadline = Instant::now() + Duration::from_secs(10);
        while open_files() > before {
            assert!(Instant::now() < deadline, "{} of {before} files are open", open_files());
            disk.list(folder).await.unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 2 << 20]);
    });
    crate::other_process::say("well");
}

#[test]
fn a_transfer_that_nobody_polls_does_not_hold_up_others() {
    let folder = tempfile::tempdir().unwrap();
    let throttle = Throttle::new(Policy { depth_max: 1, ..Policy::default() }, AppendSignal::new(1));
    let disk = UringDisk::new(&[folder.path()], throttle).unwrap();
    std::fs::write(folder.path().join("file"), vec![9; 1 << 20]).unwrap();
    block_on(async {
        let file = disk.open(&folder.path().join("file"), Transfer::Direct).await.unwrap();
        let mut first = pin!(file.read_at(AlignedBuf::with_capacity(1 << 20), 0));
        assert!(poll_once(first.as_mut()).is_pending());
        let second = file.read_at(AlignedBuf::with_capacity(1 << 20), 0);
        let (result, buffer) =
            tokio::time::timeout(Duration::from_secs(10), second).await.expect("it is stuck");
        result.unwrap();
        assert_eq!(buffer.len(), 1 << 20);
        first.await.0.unwrap();
    })
    .unwrap();
}

#[test]
fn transfers_give_way_while_appends_are_slow_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let signal = AppendSignal::new(1);
    let rate = 16 << 20;
    let policy = Policy { rate_bytes_min: rate, rate_bytes_max: rate, ..Policy::default() };
    let disk = UringDisk::new(&[folder.path()], Throttle::new(policy, signal.clone())).unwrap();
    std::fs::write(folder.path().join("file"), vec![9; 4 << 20]).unwrap();
    block_on(async {
        let file = disk.open(&folder.path().join("file"), Transfer::Cached).await.unwrap();
        let time = async || {
            let began = Instant::now();
            let (result, buffer) = file.read_at(AlignedBuf::with_capacity(4 << 20), 0).await;
            result.unwrap();
            assert_eq!(buffer.len(), 4 << 20);
            began.elapsed()
        };
        // An append that hangs: the drive is shared, at 16 MiB a second.
        signal.shard(0).began(clock::mono());
        let shared = time().await;
        assert!(shared >= Duration::from_millis(200), "{shared:?}");
        signal.shard(0).completed(MonoNanos(1), Duration::ZERO, None);
        let alone = time().await;
        assert!(alone < shared / 2, "{alone:?} {shared:?}");
    })
    .unwrap();
}

#[test]
fn blocks_are_reserved_to_the_length_asked_for() {
    here(async |disk, folder| {
        use std::os::unix::fs::MetadataExt;
        let path = folder.join("file");
        let file = disk.create(&path, Transfer::Direct).await.unwrap();
        file.write_at(AlignedBuf::copy_of(b"begin"), 0).await.0.unwrap();
        for len in [1 << 20, 100_001, 0, 4096] {
            file.allocate(len).await.unwrap();
            let status = std::fs::metadata(&path).unwrap();
            assert_eq!(status.len(), len);
            assert!(status.blocks() * 512 >= len, "{} blocks for {len}", status.blocks());
        }
        file.allocate(1 << 20).await.unwrap();
        assert!(read_all(&file, 1 << 20).await == vec![0; 1 << 20], "what was cut off does not come back");
    });
}
