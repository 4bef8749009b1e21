//! What the commands say that talk to a host or look at its files, when something is wrong.

use std::net::TcpListener;

use crate::program::{run, run_with_input};

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
    let outcome = run_with_input(&["write", "--addr", &address, "--index", "m"], "{\"docid\":\"a\"}\n");
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
