//! A real drive: a file behind a loop device, with a filesystem, mounted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use logtank_sysconfig::{Place, Report, State, Subject, System, apply, inspect, measure};

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Unmounted and detached when it is dropped, also by a test that fails.
struct LoopDrive {
    device: String,
    target: PathBuf,
    _folder: tempfile::TempDir,
}

impl LoopDrive {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(4 << 30).unwrap();
        let target = folder.path().join("mounted");
        std::fs::create_dir(&target).unwrap();
        let image = image.to_str().unwrap();
        output("mkfs.ext4", &["-q", "-E", "lazy_itable_init=1", image]);
        let device = output("losetup", &["--find", "--show", "--direct-io=on", image]);
        let drive = Self { device, target, _folder: folder };
        output("mount", &[&drive.device, drive.target.to_str().unwrap()]);
        drive
    }

    fn name(&self) -> &str {
        self.device.trim_start_matches("/dev/")
    }
}

impl Drop for LoopDrive {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.target).status();
        let _ = std::fs::write(format!("/sys/block/{}/queue/scheduler", self.name()), "none");
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

fn look(target: &Path) -> Report {
    let place = Place::of(target).unwrap();
    let measured = measure(target, Duration::from_millis(300), &mut |_| {}).unwrap();
    inspect(&Subject {
        system: &System::default(),
        raw: place.clone(),
        data: Place::of(Path::new("/")).unwrap(),
        measured: Some(measured),
        io_uring: Some(Ok(())),
    })
}

#[test]
fn bfq_is_set_on_a_real_drive_and_found_again() {
    if std::env::var_os("LOGTANK_TEST_ROOT").is_none() {
        eprintln!("skipped: needs root and a loop device; set LOGTANK_TEST_ROOT=1");
        return;
    }
    let drive = LoopDrive::new();
    let scheduler = format!("/sys/block/{}/queue/scheduler", drive.name());
    std::fs::write(&scheduler, "none").unwrap();
    let mut report = look(&drive.target);
    // Only what is of this drive: the machine's own settings are not this test's to change.
    let name = drive.name().to_owned();
    let of_drive = |report: &mut Report| {
        report.items.retain(|item| {
            (item.name.ends_with(&format!(" of {name}"))
                || item.name == "access times"
                || item.name.ends_with(&format!("at {name}")))
                && !item.name.contains("restart")
        });
    };
    of_drive(&mut report);
    let state = |report: &Report, item: &str| {
        report.items.iter().find(|found| found.name == item).map(|found| found.state)
    };
    let item = format!("scheduler of {name}");
    assert_eq!(state(&report, &item), Some(State::Differs), "{report:#?}");
    assert_eq!(state(&report, "access times"), Some(State::Differs));
    // A second round for the tunables, which only the scheduler that was set has.
    for round in 0..2 {
        for applied in apply(&System::default(), &report) {
            applied.outcome.unwrap_or_else(|error| panic!("round {round}, {}: {error}", applied.item));
        }
        report = look(&drive.target);
        of_drive(&mut report);
    }
    assert_eq!(state(&report, &item), Some(State::Good), "{report:#?}");
    assert_eq!(state(&report, &format!("low_latency of {name}")), Some(State::Good), "{report:#?}");
    assert_eq!(state(&report, "access times"), Some(State::Good), "{report:#?}");
    assert!(std::fs::read_to_string(&scheduler).unwrap().contains("[bfq]"));
    assert_eq!(report.differing().count(), 0, "{report:#?}");
}
