use logtank_sysconfig::{MEASURED_DRIVE, Place, System, Tuned, check_measured, identity};

use crate::fake::{Machine, measured};

fn of(machine: &Machine) -> String {
    identity(&machine.system(), &machine.raw).unwrap()
}

const SCHEDULERS: &str = "none [mq-deadline]";

#[test]
fn a_drive_is_known_by_its_serial_number_and_a_filesystem_by_its_uuid() {
    let machine = Machine::with("sdb", SCHEDULERS, false);
    machine.write("/run/udev/data/b9:1", "E:ID_SERIAL=S-9:0\nE:ID_FS_UUID=3454-e1\n");
    assert_eq!(of(&machine), "drive S-9:0, xfs 3454-e1");
    let renamed = Machine::with("sdc", SCHEDULERS, false);
    renamed.write("/run/udev/data/b9:1", "E:ID_FS_UUID=3454-e1\n");
    assert_eq!(of(&renamed), of(&machine), "the same drive under another name");
}

#[test]
fn another_drive_or_filesystem_in_the_same_place_is_told_apart() {
    let machine = Machine::with("sdb", SCHEDULERS, false);
    let before = of(&machine);
    machine.write("/run/udev/data/b9:0", "E:ID_SERIAL=S-new\n");
    let swapped = of(&machine);
    assert_ne!(swapped, before);
    machine.write("/run/udev/data/b9:1", "E:ID_FS_UUID=new\n");
    assert_ne!(of(&machine), swapped, "made anew on the same drive");
}

#[test]
fn without_udev_the_kernel_tells() {
    let mut machine = Machine::with("vdb", SCHEDULERS, false);
    machine.write("/run/udev/data/b9:0", "");
    machine.write("/sys/block/vdb/size", "6291456\n");
    assert_eq!(of(&machine), "drive vdb (9:0, 6291456 sectors), xfs f5");
    machine.write("/sys/block/vdb/serial", "raw \"1\"\\\n");
    assert_eq!(of(&machine), "drive raw _1__, xfs f5", "no quote ends the string of the file");
    machine.raw.filesystem_id = 0xf6;
    assert_eq!(of(&machine), "drive raw _1__, xfs f6");
}

#[test]
fn a_filesystem_without_a_drive_is_known_by_what_is_mounted() {
    let machine = Machine::with("sdb", SCHEDULERS, false);
    machine.write("/proc/self/mountinfo", "30 20 0:42 / /data/raw rw - nfs4 store:/raw rw\n");
    assert_eq!(of(&machine), "store:/raw, nfs4 f5");
    machine.write("/proc/self/mountinfo", "");
    assert_eq!(of(&machine), "an unknown mount, filesystem f5");
}

#[test]
fn a_measurement_holds_for_the_drive_that_it_names_and_for_no_other() {
    let (system, folder) = (System::default(), tempfile::tempdir().unwrap());
    let here = identity(&system, &Place::of(folder.path()).unwrap()).unwrap();
    let measured = measured(100);
    let text = Tuned::from(&measured).to_toml(&measured, "sdb (SSD)", &here, "2026-01-01");
    let named = text.lines().find_map(|line| line.strip_prefix(MEASURED_DRIVE)).unwrap();
    let named = named.trim_start_matches(" = ").trim_matches('"');
    assert_eq!(check_measured(&system, folder.path(), Some(named)), Ok(()), "as it was written");
    let not_yet = folder.path().join("raw/not/yet/there");
    assert_eq!(check_measured(&system, &not_yet, Some(named)), Ok(()));
    let other = check_measured(&system, folder.path(), Some("drive S-gone, xfs 1a")).unwrap_err().to_string();
    assert_eq!(
        other,
        format!("measured on another drive (drive S-gone, xfs 1a) than the raw log's ({here})")
    );
    let unnamed = check_measured(&system, folder.path(), None).unwrap_err();
    assert_eq!((unnamed.measured.as_str(), unnamed.here), ("one that is not named", here));
    let nothing = Machine::with("sdb", SCHEDULERS, false);
    std::fs::remove_dir_all(nothing.system().real("/proc/self".as_ref())).unwrap();
    let unknown = check_measured(&nothing.system(), folder.path(), Some(named)).unwrap_err();
    assert!(unknown.here.starts_with("one that can't be told: "), "{unknown}");
}
