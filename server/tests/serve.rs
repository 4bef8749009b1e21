//! A host from start to end, as its log, its ports and its exit code show it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::program::{logtank, run, run_with_input};

/// A host on ports that it chose itself.
pub(crate) struct Host {
    child: Child,
    addresses: serde_json::Value,
    lines: Receiver<String>,
}

impl Host {
    pub(crate) fn start(data: &std::path::Path, more: &[&str]) -> Self {
        let mut command = logtank(&["serve", "--print-addresses", "--log-format", "json", "--shards", "1"]);
        command.arg("--data").arg(data);
        for port in ["--writer-addr", "--reader-addr", "--manager-addr", "--metrics-addr"] {
            if !more.contains(&port) {
                command.args([port, "127.0.0.1:0"]);
            }
        }
        command.args(more);
        let mut host = Self::spawn(command);
        host.wait_until_started();
        host
    }

    /// Of a command that runs a host with `--print-addresses`, as soon as it has its ports.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (line, lines) = channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|text| drop(line.send(text)))
        });
        let mut addresses = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut addresses).unwrap();
        let addresses = serde_json::from_str(&addresses);
        let log = || lines.iter().collect::<Vec<_>>().join("\n");
        let addresses = addresses.unwrap_or_else(|_| panic!("it does not start: {}", log()));
        Self { child, addresses, lines }
    }

    /// Waits until its start is over, whatever it serves.
    pub(crate) fn wait_until_started(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.get("/startedz").contains(" 200 ") {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended");
            assert!(Instant::now() < deadline, "it does not start: {}", self.get("/readyz"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn address(&self, port: &str) -> &str {
        self.addresses[port].as_str().unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.get_by(path, "")
    }

    /// With these lines in the head of the request.
    fn get_by(&self, path: &str, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address("metrics")).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// The next line of the log with these words.
    pub(crate) fn line_with(&self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("no line says {words:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Sends SIGTERM and waits for the end; returns exit code and the rest of the log.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect::<Vec<_>>().join("\n"))
    }
}

/// One that a failed test leaves does not outlive it.
impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LINES: &str = r#"{"docid":"a","deleted":false,"fields":{"text":"hello"},"variables":{"1":2.5}}
{"docid":"b","deleted":false,"fields":{"text":"bye"},"categories":{"color":"red"}}

{"docid":"b","deleted":true}
"#;

#[test]
fn what_was_written_is_read_back_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let host = Host::start(&data, &[]);
    assert!(host.get("/readyz").ends_with("ready\n"), "{}", host.get("/readyz"));

    let written = run_with_input(&["write", "--addr", host.address("writer"), "--index", "m"], LINES);
    assert_eq!(written.code, Some(0), "{written:?}");
    let read = run(&["read", "--addr", host.address("reader"), "m"]);
    assert_eq!(read.code, Some(0), "{read:?}");
    let expected: Vec<_> = LINES.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(read.out.lines().collect::<Vec<_>>(), expected);
    assert!(host.get("/metrics").contains("logtank_records_total{shard=\"0\"} 3\n"));

    let status =
        ["status", "--manager-addr", host.address("manager"), "--metrics-addr", host.address("metrics")];
    let outcome = run(&status);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.out.starts_with("ready\nreceived     3 records"), "{}", outcome.out);
    let outcome = run(&[&status[..], &["--json", "--index", "m"]].concat());
    let json: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(json["indexes"], 1);
    assert_eq!(json["index"]["code"], "m");

    let (code, log) = host.stop();
    assert_eq!(code, Some(0), "{log}");
    let host = Host::start(&data, &[]);
    let again = run(&["read", "--addr", host.address("reader"), "m"]);
    assert_eq!(again.out, read.out);
    assert_eq!(host.stop().0, Some(0));

    let path = data.to_str().unwrap();
    let outcome = run(&["drain", "--data", path]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let checkpoint = std::fs::read_to_string(data.join("dealer.next_timestamp.info")).unwrap();
    let left = std::fs::read_dir(data.join("raw/live")).unwrap().map(|entry| entry.unwrap());
    let left: Vec<_> = left
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
        .collect();
    assert_eq!(left, [(format!("{checkpoint}.raw"), 0)]);
    let outcome = run(&["verify", path]);
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(0), ""), "{outcome:?}");
    inspected(&data);
}

/// `inspect` shows the records of the segment that they were dealt to, and of the raw segment that they came from.
fn inspected(data: &std::path::Path) {
    let only = |folder: std::path::PathBuf, part: &str| {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(part)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].to_str().unwrap().to_owned()
    };
    let segment = only(data.join("indexes/m/segments"), "unsorted_3");
    let outcome = run(&["inspect", "--records", &segment]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.out.contains("hello") && outcome.out.contains("records            3"), "{}", outcome.out);
    let raw = only(data.join("raw/history"), ".rawlog");
    let outcome = run(&["inspect", "--records", "--json", &raw]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let rows: Vec<serde_json::Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let records = rows.iter().filter(|row| row["kind"] == "record").count();
    assert_eq!((records, &rows[0]["kind"]), (3, &"raw segment".into()), "{}", outcome.out);

    // A flipped bit is found, and named by its file.
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let outcome = run(&["verify", data.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.out.lines().count(), 1, "{}", outcome.out);
    assert!(outcome.out.contains(&segment), "{}", outcome.out);
}

#[test]
fn a_line_that_is_no_record_ends_writing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    let writer = ["write", "--addr", host.address("writer"), "--index", "m"];
    let outcome =
        run_with_input(&writer, "{\"docid\":\"a\",\"variables\":{\"0\":1}}\nnot json\n{\"docid\":\"c\"}\n");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("line 2 is no record"), "{}", outcome.err);
    assert!(outcome.err.contains("1 records written"), "{}", outcome.err);
    let read = run(&["read", "--addr", host.address("reader"), "m"]);
    assert_eq!(read.out.lines().count(), 1, "{read:?}");
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn who_can_not_be_understood_is_counted_and_logged_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    for port in ["reader", "manager"] {
        for round in 1..=3 {
            let mut stream = TcpStream::connect(host.address(port)).unwrap();
            let peer = stream.local_addr().unwrap().to_string();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
            let counted = format!("\nlogtank_index_protocol_errors_total{{port=\"{port}\"}} {round}\n");
            assert!(host.get("/metrics").contains(&counted), "{counted}");
            if round == 1 {
                let line = host.line_with("begins like HTTP");
                assert!(line.contains(&peer), "{line}");
            }
        }
    }
    let (code, log) = host.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains("can't be understood"), "the others are not worth a line each: {log}");
}

#[test]
fn the_reader_answers_nonsense_with_an_exception_and_serves_others() {
    let folder = tempfile::tempdir().unwrap();
    let host =
        Host::start(&folder.path().join("data"), &["--message-timeout", "200ms", "--connections-max", "3"]);
    let reader: SocketAddr = host.address("reader").parse().unwrap();
    let mut nonsense = TcpStream::connect(reader).unwrap();
    nonsense.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    nonsense.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[..4], [0x80, 1, 0, 3], "an exception, then the end: {answer:?}");

    // A call that begins and does not go on is given up.
    let mut slow = TcpStream::connect(reader).unwrap();
    slow.write_all(&[0x80, 1, 0]).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(slow.read(&mut [0; 1]).unwrap(), 0, "closed by the host");

    // One more than allowed has the place of the one that has rested longest; the others stay.
    let mut held: Vec<_> = (0..3).map(|_| TcpStream::connect(reader).unwrap()).collect();
    let mut next = TcpStream::connect(reader).unwrap();
    held[0].set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(held[0].read(&mut [0; 1]).unwrap(), 0);
    next.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    next.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(next.read(&mut [0; 1]).unwrap(), 1, "it is answered");
    drop(held);
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn a_writer_and_what_owns_the_indexes_can_be_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let writer = Host::start(&data, &["--role", "writer"]);
    let indexes = Host::start(&data, &["--role", "indexes"]);
    assert_eq!(indexes.addresses["writer"], serde_json::Value::Null);
    let written = run_with_input(&["write", "--addr", writer.address("writer"), "--index", "m"], LINES);
    assert_eq!(written.code, Some(0), "{written:?}");
    let read = run(&["read", "--addr", indexes.address("reader"), "m"]);
    assert_eq!(read.out.lines().count(), 3, "{read:?}");

    let outcome = run(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--role",
        "writer",
        "--writer-addr",
        "127.0.0.1:0",
        "--metrics-addr",
        "off",
    ]);
    assert_eq!(outcome.code, Some(1));
    let pid = writer.child.id().to_string();
    assert!(outcome.err.contains("writer.lock") && outcome.err.contains(&pid), "{}", outcome.err);
    assert_eq!(writer.stop().0, Some(0));
    assert_eq!(indexes.stop().0, Some(0));
}

#[test]
fn a_host_that_may_not_serve_recoveries_says_so_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Host::start(&data, &[]).stop().0, Some(0));
    for (flag, metric, reason) in [
        ("safe_to_read", "logtank_safe_to_read 0\n", "this host is not safe to read"),
        ("master", "logtank_master 0\n", "this host is not the master"),
    ] {
        std::fs::remove_file(data.join(flag)).unwrap();
        let host = Host::start(&data, &[]);
        let answer = host.get("/readyz");
        assert!(answer.contains(" 503 ") && answer.contains(reason), "{answer}");
        let page = host.get("/metrics");
        assert!(page.contains(metric) && page.contains("logtank_ready 0\n"), "{page}");
        let status =
            ["status", "--manager-addr", host.address("manager"), "--metrics-addr", host.address("metrics")];
        let outcome = run(&status);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.out.starts_with(reason), "{}", outcome.out);
        let outcome = run(&[&status[..], &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!((outcome.code, &json["ready"]), (Some(1), &false.into()));

        // Nobody needs to start it again once the flag is there.
        std::fs::write(data.join(flag), "").unwrap();
        host.line_with("recoveries are served");
        assert_eq!(run(&status).code, Some(0));
        assert_eq!(host.stop().0, Some(0));
    }
}

#[test]
fn a_writer_by_itself_is_ready_without_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Host::start(&data, &[]).stop().0, Some(0));
    std::fs::remove_file(data.join("safe_to_read")).unwrap();
    let writer = Host::start(&data, &["--role", "writer"]);
    assert!(writer.get("/readyz").ends_with("\r\n\r\nready\n"), "{}", writer.get("/readyz"));
    assert!(writer.get("/metrics").contains("logtank_safe_to_read 0\n"));
    assert_eq!(writer.stop().0, Some(0));
}

#[test]
fn the_page_is_shown_under_names_of_the_host_only() {
    let folder = tempfile::tempdir().unwrap();
    let host =
        Host::start(&folder.path().join("data"), &["--metrics-names", "status.example.com, b.example.com"]);
    let code = |path: &str, name: &str| {
        let answer = host.get_by(path, &format!("Host: {name}\r\n"));
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for path in ["/", "/status.json"] {
        for name in ["127.0.0.1:15200", "localhost", "storage-3", "status.example.com:443", "b.example.com"] {
            assert_eq!(code(path, name), "200", "{path} {name}");
        }
        assert_eq!(code(path, "rebound.example.net:15200"), "421", "{path}");
        assert!(host.get_by(path, "Host: evil.net\r\n").contains("metrics_names"));
        assert!(host.get(path).starts_with("HTTP/1.0 200"), "without the line it is no browser");
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(code(path, "prometheus-sees-it.example.net:15200"), "200", "{path}");
    }
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn silent_connections_keep_nobody_off_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    let connect = || TcpStream::connect(host.address("metrics")).unwrap();
    let mut scraper = connect();
    let scrape = |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"alive\n") {
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    };
    scrape(&mut scraper);
    let mut silent: Vec<TcpStream> = (0..300).map(|_| connect()).collect();
    // Half a request is not one.
    for stream in &mut silent[200..] {
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    }
    let began = std::time::Instant::now();
    assert!(host.get("/healthz").ends_with("alive\n"));
    scrape(&mut scraper);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "sooner than their patience ends: {:?}",
        began.elapsed()
    );
    // It goes without an answer, so either end of a connection is right.
    silent[0].set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert!(silent[0].read(&mut [0]).map_or(true, |len| len == 0), "the oldest has made room");
    assert_eq!(host.stop().0, Some(0));
}
