//! One host through its life: written to, read, stopped, started, drained, verified.

use std::collections::BTreeMap;

use logtank_tests::client::{Client, Failure};
use logtank_tests::host::{Host, run};
use logtank_tests::load::{Load, Progress};
use logtank_tests::thrift::{Change, enqueue, index_code};

fn add(index: &str, docid: &str, text: &str) -> Change {
    Change {
        index: index.into(),
        docid: docid.into(),
        fields: Some(vec![("text".into(), text.into())]),
        ..Change::default()
    }
}

#[test]
fn what_was_acknowledged_is_read_at_once_and_after_a_clean_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &[]);
    let mut writer = Client::connect(host.writer()).unwrap();
    for number in 0..50 {
        writer.send_batch(&[add("m", &format!("d{number}"), "x")]).unwrap();
        let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
        assert_eq!(state.len(), number + 1, "visible to the next read at once");
    }
    host.stop();
    host.start();
    let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.len(), 50);
    host.stop();
}

#[test]
fn a_refused_batch_writes_nothing_and_keeps_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let mut writer = Client::connect(host.writer()).unwrap();
    for code in ["", "..", "../../escaped", "/etc", "a/b", "a\0b", &"e".repeat(300), "ünï"] {
        let refusal =
            writer.send_batch(&[add("m", "good", "x"), add(code, "bad", "x"), add("m", "good2", "x")]);
        let Err(Failure::Refused(why)) = refusal else { panic!("{code:?}: {refusal:?}") };
        assert!(why.contains("index_code"), "{why}");
    }
    writer.send_batch(&[add("m", "fine", "x")]).unwrap();
    let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.into_keys().collect::<Vec<_>>(), [b"fine".to_vec()]);
    assert!(!folder.path().join("escaped").exists());
}

#[test]
fn an_unknown_index_is_empty_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let (state, pages) = Client::connect(host.reader()).unwrap().recover("ghost").unwrap();
    assert_eq!((state.len(), pages), (0, 1));
    let mut manager = Client::connect(host.manager()).unwrap();
    manager.call("get_index_log_info", &index_code("ghost")).unwrap();
    manager.call("delete_index", &index_code("ghost")).unwrap();
    let _ = manager.call("enqueue_for_optimization", &enqueue("ghost", 1, 1.0));
    assert!(!host.data().join("indexes/ghost").exists());
}

#[test]
fn a_deleted_index_does_not_come_back_and_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut host = Host::started(&data, &[]);
    let mut writer = Client::connect(host.writer()).unwrap();
    writer.send_batch(&[add("m", "old", "x"), add("other", "stays", "x")]).unwrap();
    Client::connect(host.manager()).unwrap().call("delete_index", &index_code("m")).unwrap();
    let mut reader = Client::connect(host.reader()).unwrap();
    assert_eq!(reader.recover("m").unwrap().0.len(), 0);
    writer.send_batch(&[add("m", "new", "y")]).unwrap();
    assert_eq!(reader.recover("m").unwrap().0.into_keys().collect::<Vec<_>>(), [b"new".to_vec()]);
    host.kill();
    let (code, _, log) = run(&["drain", "--data", data.to_str().unwrap()], b"");
    assert_eq!(code, Some(0), "{log}");
    host.start();
    let mut reader = Client::connect(host.reader()).unwrap();
    assert_eq!(reader.recover("m").unwrap().0.into_keys().collect::<Vec<_>>(), [b"new".to_vec()]);
    assert_eq!(reader.recover("other").unwrap().0.len(), 1);
}

#[test]
fn a_drained_host_has_an_empty_raw_log_and_every_byte_checks_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut host = Host::started(&data, &["--shards", "2"]);
    let load = Load {
        writer: host.writer(),
        workers: 8,
        records: 5_000,
        indexes: 20,
        batch: 20,
        documents: 20,
        text: 500,
        seed: 1,
        pause: std::time::Duration::ZERO,
    };
    let history = load.run(&Progress::default());
    host.stop();
    let path = data.to_str().unwrap();
    let (code, _, log) = run(&["drain", "--data", path], b"");
    assert_eq!(code, Some(0), "{log}");
    let checkpoint = std::fs::read_to_string(data.join("dealer.next_timestamp.info")).unwrap();
    let [left] = &walk(&data.join("raw/live"))[..] else { panic!("raw/live holds one file") };
    assert_eq!(left.file_name().unwrap().to_str(), Some(&format!("{checkpoint}.raw")[..]));
    assert_eq!(std::fs::metadata(left).unwrap().len(), 0);
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(0), "{findings}\n{log}");

    host.start();
    let mut reader = Client::connect(host.reader()).unwrap();
    let recovered: BTreeMap<_, _> =
        history.indexes().map(|(index, name)| (index, reader.recover(&name).unwrap().0)).collect();
    let wrong = history.check(&recovered);
    assert!(wrong.is_empty(), "{} wrong, first: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    host.stop();

    // And a flipped bit anywhere in a dealt segment is found.
    let segment = walk(&data.join("indexes"))
        .into_iter()
        .find(|path| path.to_string_lossy().contains("unsorted_"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (code, findings, _) = run(&["verify", path], b"");
    assert_eq!(code, Some(1));
    assert!(findings.contains(segment.file_name().unwrap().to_str().unwrap()), "{findings}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

#[test]
fn the_command_line_clients_write_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let (writer, reader) = (host.writer().to_string(), host.reader().to_string());
    let input = br#"{"docid":"a","fields":{"text":"hello"},"variables":{"1":2.5}}
{"docid":"b","fields":{"text":"bye"},"categories":{"color":"red"}}
{"docid":"b","deleted":true}
"#;
    let (code, _, log) = run(&["write", "--addr", &writer, "--index", "m"], input);
    assert_eq!(code, Some(0), "{log}");
    let (code, output, log) = run(&["read", "--addr", &reader, "m"], b"");
    assert_eq!(code, Some(0), "{log}");
    let records: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 3, "{output}");
    assert_eq!(records[0]["docid"], "a");
    assert_eq!(records[0]["variables"]["1"], 2.5);
    assert_eq!(records[2]["deleted"], true);
    let (code, _, log) = run(&["write", "--addr", &writer, "--index", "m"], b"{\"docid\":\"c\"}\nnot json\n");
    assert_eq!(code, Some(1));
    assert!(log.contains("line 2"), "{log}");
}

#[test]
fn a_second_host_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Host::started(&data, &[]);
    let (code, _, log) = run(
        &[
            "serve",
            "--data",
            data.to_str().unwrap(),
            "--writer-addr",
            "127.0.0.1:0",
            "--reader-addr",
            "127.0.0.1:0",
            "--manager-addr",
            "127.0.0.1:0",
            "--metrics-addr",
            "127.0.0.1:0",
        ],
        b"",
    );
    assert_ne!(code, Some(0));
    assert!(log.contains("lock") && log.contains(&first.pid().to_string()), "{log}");
}
