use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::heartbeats::Heartbeats;

/// Why the host does not answer everything just now; nothing if it does.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    reasons: Arc<Mutex<Reasons>>,
    heartbeats: Heartbeats,
}

#[derive(Debug, Default)]
struct Reasons {
    starting: bool,
    stopping: bool,
    drive_full: Option<String>,
    drive_failing: Option<String>,
    role: Option<String>,
    blocked: Option<String>,
    incomplete: Option<String>,
    dealing_failing: Option<String>,
    no_room: Option<String>,
    read_only: Option<String>,
    background: Option<String>,
    failed: Option<String>,
}

impl Health {
    /// Of a host that is starting.
    pub(crate) fn starting() -> Self {
        let reasons = Reasons { starting: true, ..Reasons::default() };
        Self { reasons: Arc::new(Mutex::new(reasons)), heartbeats: Heartbeats::default() }
    }

    /// Signs of life of its threads: one that is stuck is a reason.
    pub(crate) const fn heartbeats(&self) -> &Heartbeats {
        &self.heartbeats
    }

    fn change(&self, change: impl FnOnce(&mut Reasons)) {
        change(&mut self.reasons.lock().expect("nobody panics while holding it"));
    }

    /// Whether the reason is another one than before.
    fn replace(&self, why: Option<String>, reason: impl FnOnce(&mut Reasons) -> &mut Option<String>) -> bool {
        let mut reasons = self.reasons.lock().expect("nobody panics while holding it");
        let reason = reason(&mut reasons);
        let changed = *reason != why;
        *reason = why;
        changed
    }

    /// It serves.
    pub(crate) fn started(&self) {
        self.change(|reasons| reasons.starting = false);
    }

    /// Whether its start is over, whatever it serves.
    pub(super) fn is_started(&self) -> bool {
        !self.reasons.lock().expect("nobody panics while holding it").starting
    }

    /// It was asked to end.
    pub(crate) fn stopping(&self) {
        self.change(|reasons| reasons.stopping = true);
    }

    /// It refuses appends for this reason, or takes them again.
    pub(crate) fn drive_full(&self, why: Option<String>) {
        self.change(|reasons| reasons.drive_full = why);
    }

    /// Its raw log's drive fails for this reason; what is in memory is written elsewhere. Or it works again.
    pub(crate) fn drive_failing(&self, why: Option<String>) {
        self.change(|reasons| reasons.drive_failing = why);
    }

    /// It deals nothing or serves no recoveries for this reason, or does both. Whether that is a change.
    pub(crate) fn role(&self, why: Option<String>) -> bool {
        self.replace(why, |reasons| &mut reasons.role)
    }

    /// Dealing stands still for this reason, or continues.
    pub(crate) fn dealing_blocked(&self, why: Option<String>) {
        self.change(|reasons| reasons.blocked = why);
    }

    /// Dealing waits for an epoch that does not become complete, or continues.
    pub(crate) fn epoch_incomplete(&self, why: Option<String>) {
        self.change(|reasons| reasons.incomplete = why);
    }

    /// Dealing fails for this reason whenever it is tried, or works again.
    pub(crate) fn dealing_failing(&self, why: Option<String>) {
        self.change(|reasons| reasons.dealing_failing = why);
    }

    /// Background work waits for room on the indexes' drive, or continues.
    pub(crate) fn without_room(&self, why: Option<String>) {
        self.change(|reasons| reasons.no_room = why);
    }

    /// The indexes' filesystem takes nothing, or does again. Whether that is a change.
    pub(crate) fn indexes_read_only(&self, why: Option<String>) -> bool {
        self.replace(why, |reasons| &mut reasons.read_only)
    }

    /// It receives and serves, but deals and merges no more.
    pub(crate) fn background_halted(&self, why: String) {
        self.change(|reasons| reasons.background = Some(why));
    }

    /// It can't go on.
    pub(crate) fn failed(&self, why: &str) {
        self.change(|reasons| reasons.failed = Some(why.to_owned()));
    }

    /// What keeps it from serving everything, most serious first, on one line.
    pub(crate) fn not_ready(&self) -> Option<String> {
        let reasons = self.reasons.lock().expect("nobody panics while holding it");
        if let Some(why) = &reasons.failed {
            Some(why.clone())
        } else if reasons.stopping {
            Some("stopping".to_owned())
        } else if reasons.starting {
            Some("starting: the raw log is being put in order".to_owned())
        } else {
            let Reasons {
                drive_failing,
                drive_full,
                background,
                blocked,
                incomplete,
                dealing_failing,
                no_room,
                read_only,
                role,
                ..
            } = &*reasons;
            let stuck = self.heartbeats.stuck(Instant::now());
            let all: Vec<&str> = [
                &stuck,
                drive_failing,
                drive_full,
                background,
                blocked,
                incomplete,
                dealing_failing,
                no_room,
                read_only,
                role,
            ]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn a_host_is_ready_when_nothing_speaks_against_it() {
        let health = Health::starting();
        assert!(health.not_ready().unwrap().contains("starting"));
        health.started();
        assert_eq!(health.not_ready(), None);
        health.drive_full(Some("full".to_owned()));
        assert_eq!(health.not_ready().as_deref(), Some("full"));
        health.drive_full(None);
        assert_eq!(health.not_ready(), None);
        assert!(health.role(Some("no master".to_owned())) && !health.role(Some("no master".to_owned())));
        health.dealing_blocked(Some("blocked".to_owned()));
        health.drive_failing(Some("failing".to_owned()));
        assert_eq!(health.not_ready().as_deref(), Some("failing; blocked; no master"));
        health.drive_failing(None);
        health.dealing_blocked(None);
        assert!(health.role(None));
        assert_eq!(health.not_ready(), None);
        health.failed("broken");
        health.stopping();
        assert_eq!(health.not_ready().as_deref(), Some("broken"));
    }
}
