//! A server's process: placed, awaited, ended.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Error, Read, Result};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::machine::Placement;

const START_PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Lines of output that are kept to explain a failure.
const KEPT_LINES: usize = 20;

/// Runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts it on these processors and waits for a line of output that contains `ready`; returns that line too.
    ///
    /// # Errors
    /// If it can't be started, or ends or says nothing of that kind within a minute: with its last lines.
    pub(crate) fn start(command: Command, cpus: &[usize], ready: &str) -> Result<(Self, String)> {
        let (process, name, lines) = Self::spawn(command, cpus)?;
        loop {
            match lines.recv_timeout(START_PATIENCE) {
                Ok(line) if line.contains(ready) => return Ok((process, line)),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(process.not_ready(&name));
                }
            }
        }
    }

    /// Starts it on these processors and asks until it is ready.
    ///
    /// # Errors
    /// If it can't be started, or ends or does not get ready within a minute: with its last lines.
    pub(crate) fn start_until(command: Command, cpus: &[usize], is_ready: impl Fn() -> bool) -> Result<Self> {
        let (process, name, lines) = Self::spawn(command, cpus)?;
        let deadline = Instant::now() + START_PATIENCE;
        while !is_ready() {
            // Its lines are no answer, but their end is.
            let has_ended = lines.recv_timeout(ASK_EVERY) == Err(RecvTimeoutError::Disconnected);
            if has_ended || Instant::now() >= deadline {
                return Err(process.not_ready(&name));
            }
        }
        Ok(process)
    }

    /// The process, its program's name and its lines.
    fn spawn(mut command: Command, cpus: &[usize]) -> Result<(Self, String, Receiver<String>)> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = Placement::on(cpus, || command.spawn())
            .map_err(|error| Error::new(error.kind(), format!("starting {name}: {error}")))?;
        let output = Arc::new(Mutex::new(VecDeque::new()));
        let (send, lines) = channel();
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        follow(stdout, &output, send.clone());
        follow(stderr, &output, send);
        Ok((Self { child, output }, name, lines))
    }

    fn not_ready(&self, name: &str) -> Error {
        Error::other(format!("{name} did not get ready:\n{}", self.last_lines()))
    }

    /// As [`Self::start`], one that says where it listens in a line that ends with its address; returns that.
    ///
    /// # Errors
    /// As [`Self::start`], or if there is no address.
    pub(crate) fn listening(command: Command, cpus: &[usize]) -> Result<(Self, SocketAddr)> {
        let (process, line) = Self::start(command, cpus, "listening on ")?;
        let address = line.rsplit(' ').next().and_then(|word| word.parse().ok());
        Ok((process, address.ok_or_else(|| Error::other(format!("no address in: {line}")))?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn last_lines(&self) -> String {
        let lines = self.output.lock().expect("whoever holds it does not panic");
        lines.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Asks it to end and waits.
    ///
    /// # Errors
    /// If it can't be asked.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process has an id"), rustix::process::Signal::TERM)?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended, and then there is nothing to wait for long.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, kept: &Arc<Mutex<VecDeque<String>>>, send: Sender<String>) {
    let kept = kept.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut kept = kept.lock().expect("whoever holds it does not panic");
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(line.clone());
            drop(kept);
            // Nobody waits for lines once it is ready.
            let _ = send.send(line);
        }
    });
}
