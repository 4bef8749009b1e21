//! The host under demonstration: this program, as a process of its own.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::client::{Encryption, get};

/// For a start, which puts the raw log in order, and for an end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const PAUSE: Duration = Duration::from_millis(10);
/// The ports that a host has unless told otherwise: writer, reader, manager, metrics.
const USUAL_PORTS: [u16; 4] = [15_000, 15_100, 16_000, 15_200];

/// Its addresses and data, and the process while it runs.
pub(super) struct Host {
    data: PathBuf,
    addresses: [String; 4],
    child: Option<Child>,
}

impl Host {
    /// A host on `data`, not started, on the usual ports, or on free ones if one of those is taken.
    ///
    /// # Errors
    /// If no ports are free.
    pub(super) fn new(data: &Path) -> anyhow::Result<Self> {
        let bind = |ports: [u16; 4]| {
            // All at once, so that they differ.
            let listeners: std::io::Result<Vec<_>> =
                ports.into_iter().map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
            listeners?.iter().map(TcpListener::local_addr).collect::<std::io::Result<Vec<_>>>()
        };
        let addresses = bind(USUAL_PORTS).or_else(|_| bind([0; 4])).context("looking for free ports")?;
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.try_into().expect("four ports, four addresses");
        Ok(Self { data: data.to_owned(), addresses, child: None })
    }

    pub(super) fn writer(&self) -> &str {
        &self.addresses[0]
    }
    pub(super) fn reader(&self) -> &str {
        &self.addresses[1]
    }
    pub(super) fn manager(&self) -> &str {
        &self.addresses[2]
    }

    /// Starts it and waits until it is ready; returns how long that took.
    ///
    /// # Errors
    /// If it does not get ready; the error holds what it said.
    pub(super) fn start(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe().context("finding this program")?);
        command.arg("serve").arg("--data").arg(&self.data);
        for (flag, address) in
            ["--writer-addr", "--reader-addr", "--manager-addr", "--metrics-addr"].iter().zip(&self.addresses)
        {
            command.args([flag, &address.as_str()]);
        }
        // Short epochs, so that there is something to deal within the time of a demonstration.
        command.args(["--epoch-max-age", "3s", "--log-format", "text"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting a host")?;
        let mut stderr = child.stderr.take().expect("it is piped");
        self.child = Some(child);
        let read = move || {
            // To the end: a full pipe would stop the host.
            let mut said = Vec::new();
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        };
        let log =
            std::thread::Builder::new().spawn(read).context("starting a thread that reads the host's log")?;
        self.await_ready(began + PATIENCE, log)?;
        Ok(began.elapsed())
    }

    fn await_ready(&mut self, deadline: Instant, log: JoinHandle<String>) -> anyhow::Result<()> {
        let ready = || get(&self.addresses[3], "/readyz", PATIENCE, &Encryption::default());
        while !ready().is_ok_and(|(status, _)| status == 200) {
            let child = self.child.as_mut().context("the host does not run")?;
            let ended = child.try_wait()?.is_some();
            if ended || Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                let what = if ended { "could not start" } else { "did not get ready" };
                let said = log.join().unwrap_or_default();
                bail!("the host {what}; it said:\n{said}");
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// If it had ended by itself.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the host does not run")?;
        ensure!(child.try_wait()?.is_none(), "the host ended by itself, before it was killed");
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// If it does not end well.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the host does not run")?;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = child.wait()?;
        ensure!(status.success(), "the host ended with {status}");
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
