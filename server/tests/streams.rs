//! Standard error and standard output that can't be written.

use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{logtank, run};

/// A host with this standard error, ready to serve, and the address of its metrics.
struct Host {
    child: Child,
    metrics: String,
}

impl Host {
    fn start(data: &Path, stderr: Stdio, more: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let metrics = free.local_addr().unwrap().to_string();
        drop(free);
        let mut command = logtank(&["serve", "--shards", "1", "--metrics-addr", &metrics]);
        command.arg("--data").arg(data).args(more);
        for port in ["--writer-addr", "--reader-addr", "--manager-addr"] {
            command.args([port, "127.0.0.1:0"]);
        }
        let mut host = Self { child: command.stderr(stderr).spawn().unwrap(), metrics };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !host.get("/readyz").is_some_and(|answer| answer.ends_with("ready\n")) {
            assert_eq!(host.child.try_wait().unwrap(), None, "it ended");
            assert!(Instant::now() < deadline, "it does not get ready: {:?}", host.get("/readyz"));
            std::thread::sleep(Duration::from_millis(20));
        }
        host
    }

    fn get(&self, path: &str) -> Option<String> {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&self.metrics).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn dropped_lines(&self) -> u64 {
        let page = self.get("/metrics").unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix("logtank_log_lines_dropped_total "));
        value.unwrap().parse().unwrap()
    }

    /// Sends SIGTERM; the exit code, `None` if it was killed since it did not end.
    fn stop(mut self) -> Option<i32> {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.wait()
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// The exit code, `None` if it was killed since it did not end.
    fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        None
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A pipe that holds nothing more, and its end for reading.
fn stuffed_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().unwrap();
    // A pipe of Linux takes so much; the program that the tests run has not made this one larger.
    writer.write_all(&[b'.'; 65536]).unwrap();
    (reader, writer)
}

#[test]
fn a_host_serves_when_its_log_can_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), full(), &[]);
    assert!(host.dropped_lines() > 0);
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn a_host_serves_when_its_log_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let host = Host::start(&folder.path().join("data"), writer.into(), &[]);
    assert!(host.dropped_lines() > 0);
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn a_host_starts_and_stops_when_nobody_reads_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = stuffed_pipe();
    let host = Host::start(&folder.path().join("data"), writer.into(), &["--log-level", "debug"]);
    assert_eq!(host.stop(), Some(0));
    drop(reader);
}

#[test]
fn the_log_is_whole_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let host = Host::start(&folder.path().join("data"), File::create(&path).unwrap().into(), &[]);
    assert_eq!(host.dropped_lines(), 0);
    assert_eq!(host.stop(), Some(0));
    let log = std::fs::read_to_string(path).unwrap();
    let last = log.lines().last().unwrap();
    assert!(log.contains("ready to serve") && last.contains("stopped: everything received"), "{log}");
}

#[test]
fn commands_work_when_standard_error_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Host::start(&data, Stdio::null(), &[]).stop(), Some(0));
    let data = data.to_str().unwrap();
    for arguments in [&["verify", data][..], &["drain", "--data", data], &["check-config", "--data", data]] {
        let code = logtank(arguments).stdout(Stdio::null()).stderr(full()).status().unwrap().code();
        assert_eq!(code, Some(0), "{arguments:?}");
    }
    // What fails anyway, fails with its own exit code.
    for arguments in [
        &["drain", "--data", "/dev/null/none"][..],
        &["read", "--addr", "127.0.0.1:1", "a", "--attempts", "1"],
    ] {
        let code = logtank(arguments).stderr(full()).status().unwrap().code();
        assert_eq!(code, Some(1), "{arguments:?}");
    }
}

#[test]
fn output_that_can_not_be_written_is_a_failure() {
    for arguments in [&["completions", "bash"][..], &["check-config"], &["--version"], &["serve", "--help"]] {
        let outcome = logtank(arguments).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(
            said.matches("the output can't be written: No space left").count(),
            1,
            "{arguments:?}: {said}"
        );
        assert_eq!(run(arguments).code, Some(0));
    }
}

/// Waits until the log holds this.
fn await_line(log: &Path, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(log).unwrap().contains(text) {
        assert!(Instant::now() < deadline, "no {text} in\n{}", std::fs::read_to_string(log).unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn signals_that_a_host_has_no_use_for_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let host = Host::start(&folder.path().join("data"), File::create(&path).unwrap().into(), &[]);
    let logged = [
        ("HUP", "restart the host to have them read"),
        ("USR1", "SIGUSR1 has no effect"),
        ("USR2", "SIGUSR2 has no effect"),
        ("ALRM", "SIGALRM has no effect"),
        ("XFSZ", "raise the limit of file sizes"),
    ];
    for (name, line) in logged {
        host.signal(name);
        await_line(&path, line);
    }
    assert!(host.get("/readyz").unwrap().ends_with("ready\n"));
    assert_eq!(host.stop(), Some(0));
}

#[test]
fn two_signals_within_a_second_end_a_host_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut host = Host::start(&folder.path().join("data"), File::create(&path).unwrap().into(), &[]);
    let pid = host.child.id().to_string();
    let script = format!("kill -TERM {pid}; kill -TERM {pid} 2>&1");
    Command::new("sh").args(["-c", &script]).status().unwrap();
    assert_eq!(host.wait(), Some(0));
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("stopped: everything received") && !log.contains("second signal"), "{log}");
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_not_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let program = logtank(&[]).get_program().to_owned();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program).args(["completions", "zsh"]);
    let path = folder.path().join("script");
    limited.stdout(File::create(&path).unwrap()).stderr(Stdio::piped());
    let outcome = limited.output().unwrap();
    let said = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{said}");
    assert!(said.contains("File too large"), "{said}");
}

#[test]
fn what_was_not_printed_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let host = crate::serve::Host::start(&data, &[]);
    let write = ["write", "--addr", host.address("writer"), "--index", "m"];
    let written = crate::program::run_with_input(&write, "{\"docid\":\"a\"}\n");
    assert_eq!(written.code, Some(0), "{written:?}");
    let status =
        ["status", "--manager-addr", host.address("manager"), "--metrics-addr", host.address("metrics")];
    let read = ["read", "--addr", host.address("reader"), "m"];
    let fails = |arguments: &[&str]| {
        let outcome = logtank(arguments).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(outcome.stderr).unwrap();
        // `tune` says 2 of what it could not do.
        assert!(matches!(outcome.status.code(), Some(1 | 2)), "{arguments:?}: {said}");
        assert!(said.contains("No space left"), "{arguments:?}: {said}");
        // Neither can the reason be written.
        let code = logtank(arguments).stdout(full()).stderr(full()).status().unwrap().code();
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?}");
    };
    fails(&status);
    fails(&[&status[..], &["--json"]].concat());
    fails(&read);
    assert_eq!(host.stop().0, Some(0));
    let history = std::fs::read_dir(data.join("raw/live")).unwrap();
    let raw =
        history.map(|entry| entry.unwrap().path()).find(|path| path.to_str().unwrap().ends_with(".rawlog"));
    let raw = raw.unwrap();
    fails(&["inspect", raw.to_str().unwrap()]);
    fails(&["inspect", "--json", "--records", raw.to_str().unwrap()]);
    fails(&["tune", "--data", data.to_str().unwrap()]);
}

#[test]
fn lines_to_the_journal_begin_with_their_priority() {
    use std::os::linux::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    for format in ["text", "json"] {
        let path = folder.path().join(format);
        let log = File::create(&path).unwrap();
        let about = log.metadata().unwrap();
        let mut stream = format!("{}:{}", about.st_dev(), about.st_ino());
        let arguments = ["serve", "--data", "/dev/null/none", "--log-format", format];
        for prefix in ["<3>", ""] {
            let code = logtank(&arguments)
                .env("JOURNAL_STREAM", &stream)
                .stderr(File::create(&path).unwrap())
                .status()
                .unwrap()
                .code();
            assert_eq!(code, Some(1));
            let log = std::fs::read_to_string(&path).unwrap();
            let line = log.lines().find(|line| line.contains("the host can't start")).unwrap();
            assert_eq!(line.starts_with("<3>"), !prefix.is_empty(), "{log}");
            // Another file is not the journal, whatever the variable says.
            stream = "1:1".to_owned();
        }
    }
}

#[test]
fn too_few_descriptors_are_named_with_their_settings() {
    let folder = tempfile::tempdir().unwrap();
    let program = logtank(&[]).get_program().to_owned();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 300; exec \"$0\" \"$@\""]).arg(program).args(["serve", "--data"]);
    let outcome = limited.arg(folder.path().join("data")).output().unwrap();
    let said = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{said}");
    for needed in ["17920 open files are needed", "may have 300", "connections_max"] {
        assert!(said.contains(needed), "{needed}: {said}");
    }
}

#[test]
fn a_port_that_another_process_has_is_waited_for_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = logtank(&["serve", "--writer-addr", &address, "--data"]);
    let outcome = command.arg(folder.path().join("data")).output().unwrap();
    let said = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{said}");
    let (waiting, given_up) = (said.find("trying for 5 s"), said.find("another process has it"));
    assert!(waiting.is_some() && waiting < given_up && said.contains(&address), "{said}");
}
