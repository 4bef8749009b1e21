//! What a process may open and lock: of a running host if there is one, else of this process.

use crate::System;
use crate::report::Item;

const OPEN_FILES_MIN: u64 = 65_536;
const LOCKED_BYTES_MIN: u64 = 128 << 20;

pub(super) fn items(system: &System) -> Vec<Item> {
    let (whose, path) = match running_host(system) {
        Some(process) => {
            (format!("of the running host, process {process}"), format!("/proc/{process}/limits"))
        }
        None => ("of this process".to_owned(), "/proc/self/limits".to_owned()),
    };
    let open_files = (
        "open files",
        "Max open files",
        OPEN_FILES_MIN,
        "Each connection is a descriptor, and so is each segment that is being merged.",
        "LimitNOFILE=262144 in the systemd unit (the shipped one has it), or ulimit -Hn",
    );
    let locked = (
        "locked memory",
        "Max locked memory",
        LOCKED_BYTES_MIN,
        "Buffers of rings are registered, which locks them in memory; without, each append costs a tenth more.",
        "LimitMEMLOCK=512M in the systemd unit (the shipped one has it), or ulimit -Hl",
    );
    let text = system.read(&path);
    let item = |(name, label, least, why, how): (&str, &str, u64, &str, &str)| {
        let wanted = format!("at least {least}");
        let text = match &text {
            Ok(text) => text,
            Err(error) => return Item::unknown(name, error, wanted, why),
        };
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        let hard = line.and_then(|line| line.split_ascii_whitespace().nth(1));
        let value =
            hard.and_then(|hard| if hard == "unlimited" { Some(u64::MAX) } else { hard.parse().ok() });
        match (hard, value) {
            (Some(hard), Some(value)) => {
                Item::new(name, value >= least, format!("{hard} ({whose})"), wanted, why).by_hand(how)
            }
            _ => Item::unknown(name, format!("{path} has no such line"), wanted, why),
        }
    };
    vec![item(open_files), item(locked)]
}

fn running_host(system: &System) -> Option<u32> {
    let numbers = system.list("/proc").into_iter().filter_map(|name| name.parse::<u32>().ok());
    let serves = |number: &u32| {
        let line = system.read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let mut words = line.split('\0');
        let program = words.next().and_then(|path| path.rsplit('/').next());
        program == Some("logtank") && words.next() == Some("serve")
    };
    numbers.into_iter().find(serves)
}
