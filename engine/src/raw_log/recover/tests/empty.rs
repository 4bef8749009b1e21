//! Segments of the original in which nothing was ever written.

use super::*;

#[test]
fn an_empty_segment_at_the_end_is_nothing_and_goes() {
    for names in [&["20.raw"][..], &["20.raw", "21.raw"]] {
        let disk = raw_disk();
        disk.put(layout().checkpoint(), b"20");
        for name in names {
            put(&disk, name, b"");
        }
        let start = recovered(&disk);
        assert!(start.first_epoch.millis() > 21, "its time is not given to another epoch");
        assert!(start.report().missing_epochs.is_empty() && start.report().lost.is_empty());
        assert_eq!(super::names(&disk), [""; 0]);
    }
}

#[test]
fn the_last_records_before_an_empty_segment_are_the_end_of_the_log() {
    let disk = raw_disk();
    put(&disk, "20.raw", &LegacyBytes::new().record(b"a", 5).record(b"b", 6).bytes);
    put(&disk, "21.raw", b"");
    recovered(&disk);
    assert_eq!(delivered(&disk), [(20, vec![0, 1])].into());
}

#[test]
fn an_empty_segment_of_which_something_was_told_stays() {
    let disk = raw_disk();
    put(&disk, "20.raw", b"");
    put(&disk, "20.lost", b"end 0\n");
    recovered(&disk);
    assert!(super::names(&disk).contains(&"20.raw".to_owned()));
}
