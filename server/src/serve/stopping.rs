//! What a running host waits for, and the order in which it ends.

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use logtank_os::mailbox::Mail;
use rustix::io::Errno;

use super::events::HostEvent;
use super::run::Host;
use super::thread::Thread;
use super::{listeners, service_manager};
use crate::causes::causes;
use crate::exit;

/// For the threads to end after the shards have: what they are in the middle of is finished or undone by the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

impl Host<'_> {
    /// Waits for a reason to end, and ends.
    pub(super) fn serve(mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<ExitCode> {
        match heard.recv().expect("the host itself holds a sender") {
            HostEvent::Signal(signal) => {
                tracing::info!(signal, "asked to end: finishing what was received");
                self.handles.health.stopping();
                service_manager::stopping();
                self.stop(heard)
            }
            HostEvent::Fatal(what) => Ok(self.give_up(&what)),
            HostEvent::Step(_) => unreachable!("the host has started"),
            HostEvent::Ended(thread, Err(error)) => {
                let why = causes(&error);
                tracing::error!("the host can't go on without its thread {thread}: {why}");
                self.handles.health.failed(&format!("the thread {thread} has failed: {why}"));
                Ok(exit_code(&error))
            }
            HostEvent::Ended(thread, Ok(())) => {
                Err(anyhow!("the thread {thread} ended by itself, which is a bug"))
            }
        }
    }

    /// The log can't be written any more. Nothing that was acknowledged is lost by ending now: it is with the kernel, or
    /// the drive took it, and the next start finds out which.
    fn give_up(&self, what: &str) -> ExitCode {
        self.handles.health.failed(what);
        tracing::error!(
            "the raw log can't be written and nothing more is acknowledged: {what}. Look at the drive (dmesg, smartctl) \
             before starting the host again; recovery then says what is missing, if anything is"
        );
        exit::drive_failed()
    }

    /// Ends in the order of the data: connections, shards, the raw log's thread; the background may stop anywhere.
    fn stop(&mut self, heard: &Receiver<HostEvent>) -> anyhow::Result<ExitCode> {
        self.stopping.store(true, Ordering::Release);
        if let Some(listener) = &self.acceptor {
            listeners::close(listener);
        }
        for shard in &self.shards {
            // Only connections can find a mailbox full.
            let _ = shard.mailbox.post(Mail::Shutdown);
        }
        self.stop.send_replace(true);
        self.handles.shared.wake();
        self.stop_space = None;
        let mut deadline: Option<Instant> = None;
        while !self.threads.is_empty() {
            // Shards and what they need may take as long as the drive does.
            let writing = self.threads.iter().any(|thread| thread.writes());
            if !writing && deadline.is_none() {
                deadline = Some(Instant::now() + STOP_PATIENCE);
            }
            let event = match deadline {
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => heard.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(HostEvent::Ended(thread, outcome)) => {
                    let place = self.threads.iter().position(|started| *started == thread);
                    self.threads.swap_remove(place.expect("it was started"));
                    if let Err(error) = outcome {
                        tracing::error!("the thread {thread} ended with an error: {}", causes(&error));
                        if thread.writes() {
                            return Ok(exit_code(&error));
                        }
                    }
                }
                Ok(HostEvent::Fatal(what)) => return Ok(self.give_up(&what)),
                Ok(HostEvent::Signal(_) | HostEvent::Step(_)) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let threads: Vec<_> = self.threads.iter().map(Thread::to_string).collect();
                    tracing::warn!(?threads, "still busy; the next start goes on where they are");
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the host itself holds a sender"),
            }
        }
        tracing::info!("stopped: everything received is on the drive");
        Ok(ExitCode::SUCCESS)
    }
}

/// A failing drive is told apart from everything else.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let drive =
        error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(is_drive_failure));
    if drive { exit::drive_failed() } else { ExitCode::FAILURE }
}

/// EIO, EROFS and their like: what starting again does not mend.
fn is_drive_failure(error: &std::io::Error) -> bool {
    const HOPELESS: [Errno; 4] = [Errno::IO, Errno::ROFS, Errno::UCLEAN, Errno::REMOTEIO];
    Errno::from_io_error(error).is_some_and(|errno| HOPELESS.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    #[test]
    fn only_what_starting_again_does_not_mend_is_a_drives_failure() {
        let failures: Vec<i32> =
            (1..134).filter(|&errno| is_drive_failure(&Error::from_raw_os_error(errno))).collect();
        assert_eq!(failures, [5, 30, 117, 121], "EIO, EROFS, EUCLEAN, EREMOTEIO");
        assert!(!is_drive_failure(&Error::other("no error of the system")));
    }
}
