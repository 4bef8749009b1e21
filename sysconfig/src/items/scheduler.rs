//! The drive's I/O scheduler, its tunables, and whether it looks at I/O priorities.

use crate::report::{Item, State};
use crate::{Drive, DriveKind, Measured, Mount, Place, System};

/// From this median of small writes on, a virtual drive is treated as a slow one, whatever it says it is.
const SLOW_WRITE_MICROS: u64 = 1_000;

const WHY: &str = "Dealing and optimizing read and write beside the appends, at the lowest I/O priority: only a \
                   scheduler that looks at priorities lets the appends pass them.";

pub(super) fn no_drive(raw: &Place, mount: Option<&Mount>) -> Item {
    let reason = mount.map_or_else(
        || format!("/proc/self/mountinfo does not list the filesystem of {}", raw.folder.display()),
        |mount| format!("{} ({}) has no drive below it", mount.target.display(), mount.filesystem),
    );
    Item::unknown("scheduler", reason, "bfq or mq-deadline", WHY)
}

/// Best first; the first that the kernel has is wanted.
fn preference(kind: DriveKind, measured: Option<&Measured>) -> &'static [&'static str] {
    const SLOW: &[&str] = &["bfq", "cfq", "mq-deadline", "deadline"];
    const FAST: &[&str] = &["mq-deadline", "bfq", "deadline", "cfq"];
    match kind {
        DriveKind::Rotational | DriveKind::Ssd | DriveKind::Loop => SLOW,
        DriveKind::Nvme => FAST,
        DriveKind::Virtual => match measured {
            Some(measured) if measured.write.p50_micros >= SLOW_WRITE_MICROS => SLOW,
            Some(_) | None => FAST,
        },
    }
}

pub(super) fn items(system: &System, drive: &Drive, measured: Option<&Measured>) -> Vec<Item> {
    let name = |what: &str| format!("{what} of {}", drive.name);
    let preference = preference(drive.kind, measured);
    let path = drive.queue("scheduler");
    let list = match system.read(&path) {
        Ok(list) => list,
        Err(error) => return vec![Item::unknown(name("scheduler"), error, preference[0], WHY)],
    };
    let known: Vec<&str> = list.split_ascii_whitespace().map(|name| name.trim_matches(['[', ']'])).collect();
    let bracketed = list.split_ascii_whitespace().find_map(|name| name.strip_prefix('[')?.strip_suffix(']'));
    let current = bracketed.or(known.first().copied()).unwrap_or("none");
    // A scheduler that is a module is loaded when it is asked for.
    let has = |name: &str| known.contains(&name) || is_module(system, name);
    let Some(wanted) = preference.iter().copied().find(|name| has(name)) else {
        let item =
            Item::new(name("scheduler"), false, current, format!("one of {}", preference.join(", ")), WHY);
        let what = "this kernel has no scheduler that looks at priorities; use one with CONFIG_IOSCHED_BFQ or \
                    CONFIG_MQ_IOSCHED_DEADLINE";
        return vec![item.by_hand(what)];
    };
    let why = format!("{WHY} {}", choice(drive.kind, wanted));
    let mut items = vec![
        Item::new(name("scheduler"), current == wanted, current, wanted, why).set(&path, wanted),
        priorities(drive, current, wanted),
    ];
    // Tunables of another scheduler are not there; those of the wanted one are looked at again after it was set.
    let scheduler = if current == wanted { wanted } else { "" };
    items.extend(tunables(scheduler).iter().filter_map(|tunable| tunable.item(system, drive)));
    items
}

fn choice(kind: DriveKind, wanted: &str) -> String {
    let of = kind.name();
    match wanted {
        "bfq" => format!("bfq (for a {of}) honours class and level."),
        "cfq" => format!("cfq (for a {of}, by a kernel without bfq) honours class and level."),
        _ => format!("{wanted} (for a {of}) honours the class, at less processor time than bfq."),
    }
}

fn priorities(drive: &Drive, current: &str, wanted: &str) -> Item {
    let honours = match current {
        "bfq" | "cfq" => "class and level",
        "mq-deadline" => "class",
        _ => "no",
    };
    let mut item = Item::new(
        format!("I/O priorities at {}", drive.name),
        honours != "no",
        honours,
        "at least the class",
        "The background runs in the idle class. A scheduler that does not look leaves only the host's own governor to \
         protect appends.",
    );
    if item.state == State::Differs {
        item = item.set(drive.queue("scheduler"), wanted);
    }
    item
}

fn is_module(system: &System, scheduler: &str) -> bool {
    let module = match scheduler {
        "bfq" => "bfq.ko",
        "mq-deadline" => "mq-deadline.ko",
        _ => return false,
    };
    let Ok(release) = system.read("/proc/sys/kernel/osrelease") else { return false };
    let lists = ["modules.builtin", "modules.dep"];
    lists.iter().any(|list| {
        let text = system.read(format!("/lib/modules/{release}/{list}")).unwrap_or_default();
        text.lines()
            .any(|line| line.split(':').next().is_some_and(|path| path.contains(&format!("/{module}"))))
    })
}

struct Tunable {
    name: &'static str,
    wanted: &'static str,
    why: &'static str,
}

const fn tunables(scheduler: &str) -> &'static [Tunable] {
    match scheduler.as_bytes() {
        b"bfq" => &[Tunable {
            name: "low_latency",
            wanted: "0",
            why: "bfq otherwise raises whoever looks interactive, which is the background after a pause; priorities \
                  alone must decide.",
        }],
        b"mq-deadline" => &[Tunable {
            name: "writes_starved",
            wanted: "1",
            why: "Appends are writes; by default two batches of reads pass each of them.",
        }],
        _ => &[],
    }
}

impl Tunable {
    /// Nothing if this kernel's scheduler does not have it.
    fn item(&self, system: &System, drive: &Drive) -> Option<Item> {
        let path = drive.queue("iosched").join(self.name);
        let current = system.read(&path).ok()?;
        let name = format!("{} of {}", self.name, drive.name);
        Some(Item::new(name, current == self.wanted, current, self.wanted, self.why).set(path, self.wanted))
    }
}
