//! Page tokens that no host issued, or not for this, or that time has overtaken.

use logtank_tests::client::{Client, Failure};
use logtank_tests::host::Host;
use logtank_tests::thrift::{Change, Cursor, index_code};

fn write(host: &Host, index: &str) {
    let mut client = Client::connect(host.writer()).unwrap();
    // More than a page holds.
    for number in 0..7 {
        let change = Change {
            index: index.into(),
            docid: format!("d{number}"),
            fields: Some(vec![("text".into(), "x".repeat(1 << 20))]),
            ..Change::default()
        };
        client.send_batch(&[change]).unwrap();
    }
}

/// The struct of a token with this truth in field 4, the only one that is believed.
fn token_of(truth: &[u8]) -> Vec<u8> {
    let length = u32::try_from(truth.len()).unwrap().to_be_bytes();
    [&[11, 0, 4], &length[..], truth, &[0]].concat()
}

fn refused(client: &mut Client, index: &str, token: &[u8], what: &str) {
    match client.read_page(index, Some(token)) {
        Err(Failure::Refused(why)) => assert!(!why.is_empty()),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn forged_truncated_and_stale_tokens_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1"]);
    write(&host, "m");
    write(&host, "n");
    let mut client = Client::connect(host.reader()).unwrap();
    let issued = client.read_page("m", None).unwrap().next.expect("there is more than a page");
    let mut cursor = Cursor(&issued);
    let truth = loop {
        let (kind, id) = cursor.field().expect("field 4 is there");
        let value = cursor.value(kind);
        if id == 4 {
            break value[4..].to_vec();
        }
    };
    assert!(client.read_page("m", Some(&token_of(&truth))).is_ok(), "the truth alone is enough");
    for at in 0..truth.len() {
        let mut flipped = truth.clone();
        flipped[at] ^= 1;
        refused(&mut client, "m", &token_of(&flipped), "a forged token");
        refused(&mut client, "m", &token_of(&truth[..at]), "a truncated token");
    }
    refused(&mut client, "n", &issued, "another index's token");
    refused(&mut client, "none", &issued, "the token of an index that is there, for one that is not");
    // It outlives the process, but not its index.
    host.kill();
    host.start();
    let mut client = Client::connect(host.reader()).unwrap();
    assert!(client.read_page("m", Some(&issued)).is_ok(), "tokens outlive the process");
    Client::connect(host.manager()).unwrap().call("delete_index", &index_code("m")).unwrap();
    refused(&mut client, "m", &issued, "the token of a deleted index");
    write(&host, "m");
    refused(&mut client, "m", &issued, "the token of an index that was deleted and written anew");
    assert_eq!(client.recover("m").unwrap().0.len(), 7);
    host.stop();
}
