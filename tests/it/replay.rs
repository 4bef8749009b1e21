//! Every request that was recorded at the original, sent to the real process: what the original answered is answered
//! the same; what it closed, hung or choked on is refused or closed, and disturbs nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::thrift::Change;

use super::golden;

/// Accepted by the original, which then choked on them for ever: refused here.
const POISON: [&str; 6] = ["503-", "504-", "505-", "521-", "522-", "523-"];
/// A call by another type of message: whether it is answered is not part of the contract.
const OTHER_TYPES: [&str; 2] = ["044-", "045-"];
/// What the original closed on, and this host understands: the old header, and frames.
const UNDERSTOOD_HERE: [&str; 2] = ["048-", "050-"];

fn cases(stage: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/wire/tests/golden").join(stage);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    cases.sort();
    cases
}

/// Sends the bytes and nothing more; everything that comes back until the host closes.
fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    // The host may close before it has read all.
    let sent = stream.write_all(request).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("neither answered nor closed"),
        Err(error) if sent.is_ok() && error.kind() != std::io::ErrorKind::ConnectionReset => {
            panic!("{error}")
        }
        _ => {}
    }
    answer
}

/// Type of the first message of an unframed, strict answer: 2 reply, 3 exception.
fn kind(answer: &[u8]) -> Option<u8> {
    answer.starts_with(&[0x80, 0x01]).then(|| answer[3])
}

#[test]
fn what_the_original_answered_is_answered_and_what_it_choked_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let (mut answered, mut refused) = (0, 0);
    for path in ["00-empty", "01-writes", "40-poison", "45-hostile"].into_iter().flat_map(cases) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is = |names: &[&str]| names.iter().any(|prefix| name.starts_with(prefix));
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let address = match json["port"].as_u64() {
            Some(15000) => host.writer(),
            Some(15100) => host.reader(),
            Some(16000) => host.manager(),
            other => panic!("{name}: port {other:?}"),
        };
        let beside = |end: &str| path.with_file_name(format!("{name}.{end}.bin"));
        let Ok(request) = std::fs::read(beside("req")) else { continue };
        let answer = exchange(address, &request);
        if is(&UNDERSTOOD_HERE) {
            assert!(!answer.is_empty() && kind(&answer) != Some(3), "{name}: {answer:?}");
            answered += 1;
        } else if is(&OTHER_TYPES) {
            // Nothing to compare.
        } else if json["outcome"] == "reply" && !is(&POISON) {
            assert_eq!(kind(&answer), Some(2), "{name}: {}", String::from_utf8_lossy(&answer));
            if address == host.writer() {
                assert_eq!(answer, std::fs::read(beside("resp")).unwrap(), "{name}");
            }
            answered += 1;
        } else {
            // The one that the original could not answer on a fresh host is answered.
            let is_answered_here = name.starts_with("001-");
            assert!(is_answered_here || kind(&answer) != Some(2), "{name} was accepted");
            refused += 1;
        }
        let good = Change { index: "alive".into(), docid: name.clone(), deleted: true, ..Change::default() };
        Client::connect(host.writer()).unwrap().send_batch(&[good]).unwrap();
    }
    assert!(answered >= 40 && refused >= 25, "{answered} answered, {refused} refused");

    // And what was accepted is there, as the original had it.
    for index in ["idx1", "idx3"] {
        let (name, expected) = golden::expected_of(&format!("02-live-read-{index}.json"));
        let state = golden::recovered(&host, &name);
        assert!(state == expected, "{name}: recovered {state:#?}, expected {expected:#?}");
    }
    // The original wrote the first record of a batch that it then refused.
    let (name, mut expected) = golden::expected_of("02-live-read-idx2.json");
    assert!(expected.remove(b"partial-ok".as_slice()).is_some());
    let mut state = golden::recovered(&host, &name);
    state.retain(|docid, _| expected.contains_key(docid));
    for (docid, document) in &expected {
        let optional = [&b"oneway"[..], b"replytype"].contains(&docid.as_slice());
        assert!(
            state.get(docid) == Some(document) || optional && !state.contains_key(docid),
            "{name}/{}: recovered {:?}, expected {document:?}",
            String::from_utf8_lossy(docid),
            state.get(docid)
        );
    }
}
