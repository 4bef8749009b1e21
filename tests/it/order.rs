//! Order over connections on different cores: what was sent after another's reply never loses to it.

use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};
use logtank_tests::thrift::Change;

fn version(index: &str, number: u64) -> Change {
    Change {
        index: index.into(),
        docid: "contested".into(),
        fields: Some(vec![("version".into(), number.to_string())]),
        ..Change::default()
    }
}

fn recovered(host: &Host, index: &str) -> u64 {
    let (state, _) = Client::connect(host.reader()).unwrap().recover(index).unwrap();
    let fields = state[b"contested".as_slice()].fields.clone().unwrap();
    String::from_utf8(fields[b"version".as_slice()].clone()).unwrap().parse().unwrap()
}

#[test]
fn an_update_sent_after_anothers_reply_wins_on_any_core() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut host = Host::started(&data, &["--shards", "4", "--epoch-max-age", "50ms"]);
    // Connections are spread over the shards, so these take turns over all of them.
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(host.writer()).unwrap()).collect();
    let mut number = 0;
    for round in 0..300 {
        for client in &mut clients {
            number += 1;
            client.send_batch(&[version("m", number)]).unwrap();
        }
        if round % 25 == 0 {
            assert_eq!(recovered(&host, "m"), number);
        }
        if round == 150 {
            host.kill();
            host.start();
            clients = (0..8).map(|_| Client::connect(host.writer()).unwrap()).collect();
            assert_eq!(recovered(&host, "m"), number);
        }
    }
    assert_eq!(recovered(&host, "m"), number);
    host.stop();
    let (code, _, log) = run(&["drain", "--data", data.to_str().unwrap()], b"");
    assert_eq!(code, Some(0), "{log}");
    host.start();
    assert_eq!(recovered(&host, "m"), number);
}
