//! The real process: started, killed, stopped, started again on the same folder and ports.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::get;
use crate::wait::comes;

/// What `drain` says where it has dealt what is there, and something is not.
const MISSING: &str = "what is here is dealt, but something is missing of the raw log";

/// How long a start may take before a test gives up on it.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The `logtank` program of this build, built if it is not there yet or older than its sources; or the one that
/// `LOGTANK_TEST_PROGRAM` names, as it is.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(given) = std::env::var_os("LOGTANK_TEST_PROGRAM") {
            return given.into();
        }
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
        let mut build = Command::new(env!("CARGO"));
        // As by hand, over the whole workspace: with one package chosen, dependencies would get other features and be
        // built anew.
        build.args(["build", "--quiet", "--bin", "logtank"]);
        build.current_dir(
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace holds this package"),
        );
        build.arg("--target-dir").arg(profile.parent().expect("target/PROFILE"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success(), "building logtank failed");
        profile.join("logtank")
    })
}

/// The program, without settings from the environment: neither the tests' own variables nor those of whoever runs them.
fn command() -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOGTANK_") {
            command.env_remove(name);
        }
    }
    command
}

/// A host of one test, on ports of its own.
#[derive(Debug)]
pub struct Host {
    data: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
    addresses: [SocketAddr; 4],
    encrypted: bool,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Collects it to its end.
    follower: JoinHandle<()>,
}

/// Below those that the system gives to outgoing connections, so that none takes one while a host is down.
const PORTS: Range<u32> = 12_000..32_000;

/// Ports that nobody listens on, and that no other host of this process had. Each process begins somewhere else.
fn free_addresses() -> [SocketAddr; 4] {
    /// Has no divisor in common with the number of ports, so all get their turn; neighbours in time are none in number.
    const STRIDE: u32 = 7_919;
    static FIRST: OnceLock<u32> = OnceLock::new();
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let count = PORTS.end - PORTS.start;
    let random = || u32::try_from(RandomState::new().hash_one(()) % u64::from(count)).expect("small");
    let first = FIRST.get_or_init(random);
    std::array::from_fn(|_| {
        loop {
            let tried = TRIED.fetch_add(1, Ordering::Relaxed) % count;
            let port = PORTS.start + (first + tried * STRIDE) % count;
            let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("a port")));
            if TcpListener::bind(address).is_ok() {
                return address;
            }
        }
    })
}

impl Host {
    /// A host on the folder `data`, not started yet, with these arguments beyond folder and addresses.
    #[must_use]
    pub fn new(data: &Path, arguments: &[&str]) -> Self {
        Self {
            data: data.to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: Vec::new(),
            addresses: free_addresses(),
            encrypted: arguments.contains(&"--tls-cert"),
            running: None,
        }
    }

    /// Adds a variable to its environment, from its next start on.
    pub fn variable(&mut self, name: &'static str, value: &Path) {
        self.environment.push((name, value.to_owned()));
    }

    /// As [`Self::new`], started.
    #[must_use]
    pub fn started(data: &Path, arguments: &[&str]) -> Self {
        let mut host = Self::new(data, arguments);
        host.start();
        host
    }

    /// Address of the writer.
    #[must_use]
    pub const fn writer(&self) -> SocketAddr {
        self.addresses[0]
    }
    /// Address of the reader.
    #[must_use]
    pub const fn reader(&self) -> SocketAddr {
        self.addresses[1]
    }
    /// Address of the manager.
    #[must_use]
    pub const fn manager(&self) -> SocketAddr {
        self.addresses[2]
    }
    /// Address of the metrics.
    #[must_use]
    pub const fn metrics(&self) -> SocketAddr {
        self.addresses[3]
    }
    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Process id.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("the host runs").child.id()
    }

    /// Starts it and waits until its start is over.
    ///
    /// # Panics
    /// If it does not get ready; the panic shows its log.
    pub fn start(&mut self) {
        if let Err((status, log)) = self.try_start() {
            panic!("the host did not get ready ({status:?}); its log:\n{log}");
        }
    }

    /// Starts it where it can't get ready; returns its log.
    ///
    /// # Panics
    /// If it does get ready, or neither gets ready nor ends.
    pub fn start_in_vain(&mut self) -> String {
        let Err((status, log)) = self.try_start() else {
            panic!("the host got ready; its log:\n{}", self.log())
        };
        assert!(
            status.is_some_and(|status| status.code().is_some()),
            "no orderly end ({status:?}); its log:\n{log}"
        );
        log
    }

    /// Starts it and waits until its start is over.
    ///
    /// # Errors
    /// How it ended instead, and its log. No status: it hung.
    ///
    /// # Panics
    /// If it runs already.
    pub fn try_start(&mut self) -> Result<(), (Option<ExitStatus>, String)> {
        // Encrypted, it is asked by nobody here.
        self.launch(|_| {}, if self.encrypted { Self::lets_in } else { Self::has_started })
    }

    /// Starts it, does something to its process (by its id), and waits until it lets clients in. It is asked nothing: the
    /// process may have lost what an answer needs.
    ///
    /// # Errors
    /// As [`Self::try_start`].
    ///
    /// # Panics
    /// If it runs already.
    pub fn try_start_and(&mut self, meanwhile: impl FnOnce(u32)) -> Result<(), (Option<ExitStatus>, String)> {
        self.launch(meanwhile, Self::lets_in)
    }

    fn launch(
        &mut self,
        meanwhile: impl FnOnce(u32),
        is_done: fn(&Self) -> bool,
    ) -> Result<(), (Option<ExitStatus>, String)> {
        assert!(self.running.is_none(), "the host runs already");
        let [writer, reader, manager, metrics] = self.addresses.map(|address| address.to_string());
        let mut command = command();
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--writer-addr", &writer, "--reader-addr", &reader]);
        command.args(["--manager-addr", &manager, "--metrics-addr", &metrics]);
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("logtank starts");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let sink = log.clone();
        let follower = std::thread::spawn(move || follow(stderr, &sink));
        meanwhile(child.id());
        let deadline = Instant::now() + START_TIMEOUT;
        while !is_done(self) {
            let ended = child.try_wait().expect("it can be waited for");
            if ended.is_some() || Instant::now() >= deadline {
                let _ = child.kill();
                child.wait().expect("it can be waited for");
                follower.join().expect("collecting lines does not fail");
                let log = log.lock().expect("log").clone();
                return Err((ended, log));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running = Some(Running { child, log, follower });
        Ok(())
    }

    /// Whether its start is over, whatever it serves.
    fn has_started(&self) -> bool {
        get(self.metrics(), "/startedz", "*/*").is_ok_and(|(status, ..)| status == 200)
    }

    /// Whether it has opened the writer's port, which is the last: the kernel connects who comes then.
    fn lets_in(&self) -> bool {
        TcpStream::connect(self.writer()).is_ok()
    }

    /// What it has logged since its last start.
    ///
    /// # Panics
    /// If it is not running.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.as_ref().expect("the host runs").log.lock().expect("log").clone()
    }

    /// Waits until it has logged these words.
    ///
    /// # Panics
    /// If it does not.
    pub fn logs(&self, words: &str) {
        assert!(
            comes(START_TIMEOUT, || self.log().contains(words)),
            "it does not log {words:?}:\n{}",
            self.log()
        );
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Panics
    /// If it is not running, or died before by itself.
    pub fn kill(&mut self) {
        let mut running = self.running.take().expect("the host runs");
        running.child.kill().expect("it can be killed");
        let status = running.child.wait().expect("it can be waited for");
        let log = running.log.lock().expect("log");
        assert_eq!(status.signal(), Some(9), "it ended by itself before it was killed; its log:\n{log}");
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Panics
    /// If it does not exit with 0.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "not a clean exit ({status}); its log:\n{log}");
    }

    /// Sends a signal by name, as in `TERM`.
    ///
    /// # Panics
    /// If it is not running.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(status.expect("kill runs").success(), "kill -{name}");
    }

    /// Whether it has ended by itself; [`Self::wait`] tells how.
    ///
    /// # Panics
    /// If it was not started.
    pub fn has_ended(&mut self) -> bool {
        let running = self.running.as_mut().expect("the host was started");
        running.child.try_wait().expect("it can be waited for").is_some()
    }

    /// Exit status and log if it has ended by itself.
    ///
    /// # Panics
    /// If it was not started.
    pub fn try_wait(&mut self) -> Option<(ExitStatus, String)> {
        self.has_ended().then(|| self.wait())
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// If it is not running.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut running = self.running.take().expect("the host runs");
        let status = running.child.wait().expect("it can be waited for");
        running.follower.join().expect("collecting lines does not fail");
        let log = running.log.lock().expect("log").clone();
        (status, log)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
            if std::thread::panicking() {
                eprintln!(
                    "log of the host:\n{}",
                    running.log.lock().map(|log| log.clone()).unwrap_or_default()
                );
            }
        }
    }
}

/// Collects the log.
fn follow(stderr: impl Read, sink: &Mutex<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut log = sink.lock().expect("log");
        // A host that fails in a loop must not fill the test's memory.
        if log.len() < 4 << 20 {
            log.push_str(&line);
            log.push('\n');
        }
    }
}

/// Runs `logtank` with these arguments to its end; returns exit code, standard output and standard error.
///
/// # Panics
/// If it can't be started.
#[must_use]
pub fn run(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("logtank starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read all: its exit code tells.
        let _ = std::io::Write::write_all(&mut stdin, &input);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer does not panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What the commands complain of when a stopped host's data is verified, dealt as a whole, and verified again.
///
/// # Panics
/// If they can't be started.
#[must_use]
pub fn complaints(data: &str) -> Vec<String> {
    let commands = [&["verify", data][..], &["drain", "--data", data], &["verify", data]];
    let complaints = commands.into_iter().filter_map(|arguments| {
        let (code, findings, log) = run(arguments, b"");
        // What a power cut took of an epoch that was not dealt since, `drain` names once more.
        let reported = arguments[0] == "drain" && code == Some(1) && log.contains(MISSING);
        (code != Some(0) && !reported).then(|| format!("{arguments:?}: {code:?}: {findings}\n{log}"))
    });
    complaints.collect()
}
