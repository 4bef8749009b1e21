//! What the commands say that talk to a host or look at its files, when something is wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::certificates;
use crate::program::{Outcome, logtank, run, run_with_input};
use crate::serve::Host;

/// An address that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn an_index_code_that_can_be_none_is_refused_before_anything_is_sent() {
    let outcome = run_with_input(&["write", "--index", "../x"], "{\"docid\":\"a\"}\n");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("--index ../x") && outcome.err.contains("A-Z a-z 0-9"), "{}", outcome.err);
    let outcome = run(&["read", "a/b"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("A-Z a-z 0-9"), "{}", outcome.err);
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let address = nobody();
    let write = ["write", "--addr", &address, "--index", "m", "--wait", "0s"];
    let outcome = run_with_input(&write, "{\"docid\":\"a\"}\n");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.err.contains(&address) && outcome.err.contains("is a host running there?"),
        "{}",
        outcome.err
    );
    let outcome = run(&["read", "--addr", &address, "--attempts", "1", "m"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("the connection failed"), "{}", outcome.err);
    let outcome = run(&["status", "--metrics-addr", &address]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains(&format!("the metrics port {address}")), "{}", outcome.err);
}

#[test]
fn inspect_says_which_files_it_knows() {
    let outcome = run(&["inspect", "Cargo.toml"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("a raw segment"), "{}", outcome.err);
    for missing in ["/nowhere/nosuch", "nosuch"] {
        let outcome = run(&["inspect", missing]);
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.err.contains("nosuch: No such file or directory"), "{}", outcome.err);
    }
    let outcome = run(&["inspect", "/nowhere/1795343512642-0-0.rawlog"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("/nowhere"), "{}", outcome.err);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    for arguments in [&["verify", "/nowhere/data"][..], &["drain", "--data", "/nowhere/data"]] {
        let outcome = run(arguments);
        assert_eq!(outcome.code, Some(78));
        assert!(outcome.err.contains("/nowhere/data is not there"), "{}", outcome.err);
    }
}

#[test]
fn an_address_without_a_port_is_named_as_such() {
    for arguments in [
        &["read", "--addr", "127.0.0.1", "m"][..],
        &["write", "--addr", "127.0.0.1", "--index", "m"],
        &["status", "--manager-addr", "127.0.0.1"],
        &["status", "--metrics-addr", "127.0.0.1"],
    ] {
        let outcome = run(arguments);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.err.contains("the port is missing; write it as in 127.0.0.1:15000"), "{outcome:?}");
    }
}

/// Runs it; it must have an answer long before it would try for a third time.
fn run_to_a_final_answer(arguments: &[&str]) -> Outcome {
    let began = Instant::now();
    let outcome = run_with_input(arguments, "{\"docid\":\"a\"}\n");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}: {outcome:?}", began.elapsed());
    assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
    assert!(!outcome.err.contains("trying again"), "{arguments:?}: {outcome:?}");
    outcome
}

#[test]
fn a_wrong_port_of_a_host_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    let [writer, reader, manager, metrics] =
        ["writer", "reader", "manager", "metrics"].map(|port| host.address(port));
    let [ca, _] = certificates::files(folder.path(), "ca", 2020..2120);
    let write = |at| ["write", "--index", "m", "--addr", at];
    let read = |at| ["read", "m", "--addr", at];
    let status = |manager, metrics| ["status", "--manager-addr", manager, "--metrics-addr", metrics];
    for (arguments, said) in [
        (&write(reader)[..], "this is the port of LogReader"),
        (&write(metrics), "answers in HTTP: it is a host's metrics port"),
        (&read(writer), "this is the port of LogWriter"),
        (&read(manager), "this is the port of LogManager"),
        (&read(metrics), "answers in HTTP: it is a host's metrics port"),
        (&status(reader, metrics), "this is the port of LogReader"),
        (&status(metrics, metrics), "answers in HTTP"),
        (&status(manager, writer), "the port answers in Thrift"),
        (&["read", "m", "--addr", reader, "--tls-ca", &ca], "the port is not encrypted"),
        (&["write", "--index", "m", "--addr", writer, "--tls-ca", &ca], "is not encrypted"),
        (
            &["status", "--manager-addr", manager, "--metrics-addr", metrics, "--tls-ca", &ca],
            "is not encrypted",
        ),
    ] {
        let outcome = run_to_a_final_answer(arguments);
        assert!(outcome.err.contains(said), "{arguments:?}: {said}: {}", outcome.err);
    }
    let outcome = run(&[&status(manager, metrics)[..], &["--index", "nosuch"]].concat());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.err.contains("the host has no index `nosuch`"), "{}", outcome.err);
    let outcome = run(&["read", "nosuch", "--addr", reader]);
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(0), ""));
    assert!(outcome.err.contains("of an index `nosuch`"), "{}", outcome.err);
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn a_host_that_may_not_serve_a_recovery_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Host::start(&data, &[]).stop().0, Some(0));
    std::fs::remove_file(data.join("safe_to_read")).unwrap();
    let host = Host::start(&data, &[]);
    let outcome = run_to_a_final_answer(&["read", "m", "--addr", host.address("reader")]);
    assert!(outcome.err.contains("not safe to read"), "{}", outcome.err);
    assert_eq!(host.stop().0, Some(0));
}

/// A program that is no host: it answers each of `count` connections with this, once it has heard something.
fn somebody(answer: &'static [u8], count: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(count) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer).unwrap();
        }
    });
    address
}

#[test]
fn what_is_no_host_is_named_by_what_it_answers() {
    for (answer, said) in [
        (&b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"[..], "answers with text (`SSH-2.0-OpenSSH_9.2p`)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "answers in HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "the port is encrypted: give --tls-ca"),
        (b"\xff\xff\xff\xff\xff\xff", "can't be read"),
    ] {
        let outcome = run_to_a_final_answer(&["read", "m", "--addr", &somebody(answer, 1)]);
        assert!(outcome.err.contains(said), "{said}: {}", outcome.err);
    }
    let other = somebody(b"HTTP/1.0 200 OK\r\n\r\nnode_load1 0.1\n", 2);
    let outcome = run_to_a_final_answer(&["status", "--metrics-addr", &other]);
    assert!(outcome.err.contains("is no host of LogTank's"), "{}", outcome.err);
    let secured = somebody(b"\x15\x03\x03\x00\x02\x02\x46", 1);
    let outcome = run_to_a_final_answer(&["status", "--metrics-addr", &secured]);
    assert!(outcome.err.contains("the port is encrypted"), "{}", outcome.err);
}

#[test]
fn a_page_that_does_not_come_is_given_up_after_so_many_attempts() {
    // It closes each connection without an answer, as a host that ends.
    let address = somebody(b"", 3);
    let outcome = run(&["read", "m", "--addr", &address, "--attempts", "2"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.err.matches("trying again in 1 s (attempt 2 of 2)").count(), 1, "{}", outcome.err);
    assert!(outcome.err.contains("(2 attempts, after 0 records"), "{}", outcome.err);
}

#[test]
fn an_interrupted_write_says_how_far_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::start(&folder.path().join("data"), &[]);
    let write = ["write", "--addr", host.address("writer"), "--index", "m", "--batch-records", "2"];
    let mut child = logtank(&write).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all("\u{feff}{\"docid\":\"a\"}\n\n{\"docid\":\"b\"}\n{\"docid\":\"c\"}\n".as_bytes())
        .unwrap();
    // Two of the three make a batch; the third waits for another.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !host.get("/metrics").contains("logtank_records_total{shard=\"0\"} 2\n") {
        assert!(Instant::now() < deadline, "no batch was written");
        std::thread::sleep(Duration::from_millis(10));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(130));
    assert!(outcome.err.contains("2 records written to m, up to line 3; interrupted"), "{}", outcome.err);
    drop(input);
    assert_eq!(host.stop().0, Some(0));
}

#[test]
fn writing_waits_for_a_host_that_is_starting() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let write = ["write", "--addr", &address, "--index", "m", "--wait", "60s"];
    let mut child = logtank(&write).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"docid\":\"a\"}\n").unwrap();
    let host = Host::start(&folder.path().join("data"), &["--writer-addr", &address]);
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.err.contains("1 records written"), "{}", outcome.err);
    assert_eq!(host.stop().0, Some(0));
}
