use crate::System;
use crate::report::{Fix, Item};

const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";

pub(super) fn items(system: &System, tried: Option<&Result<(), String>>) -> Vec<Item> {
    let why = "Everything that the host does with network and drives goes through io_uring.";
    // The setting came with Linux 6.6; without it nothing is switched off.
    let value = if system.exists(DISABLED) { system.number(DISABLED) } else { Ok(0) };
    let setting = match value {
        Ok(value) => Item::new(
            "io_uring by sysctl",
            value == 0,
            format!("kernel.io_uring_disabled = {value}"),
            "kernel.io_uring_disabled = 0",
            why,
        )
        .set(DISABLED, "0")
        .fix(Fix::Keep {
            path: "/etc/sysctl.d/61-logtank-io-uring.conf".into(),
            text: "# Written by `logtank tune`.\nkernel.io_uring_disabled = 0\n".to_owned(),
        }),
        Err(error) => Item::unknown("io_uring by sysctl", error, "kernel.io_uring_disabled = 0", why),
    };
    let wanted = "a ring can be made";
    let tried = match tried {
        Some(Ok(())) => Item::new("io_uring, tried", true, wanted, wanted, why),
        Some(Err(error)) => Item::new("io_uring, tried", false, error, wanted, why).by_hand(
            "allow io_uring_setup, io_uring_enter and io_uring_register where system calls are filtered",
        ),
        None => Item::unknown("io_uring, tried", "not tried", wanted, why),
    };
    vec![setting, tried]
}
