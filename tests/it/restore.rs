//! A host that is made again from a copy of its history.

use std::fs;
use std::path::{Path, PathBuf};

use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};
use logtank_tests::thrift::{Change, index_code};

fn add(index: &str, docid: &str) -> Change {
    Change {
        index: index.into(),
        docid: docid.into(),
        fields: Some(vec![("text".into(), "x".into())]),
        ..Change::default()
    }
}

/// One document of `m` by each of several lives, and an index that the second one deletes.
fn history(data: &Path, lives: usize) -> Vec<PathBuf> {
    let mut host = Host::new(data, &["--shards", "1"]);
    for life in 0..lives {
        host.start();
        let mut writer = Client::connect(host.writer()).unwrap();
        writer.send_batch(&[add("m", &format!("d{life}"))]).unwrap();
        match life {
            0 => writer.send_batch(&[add("gone", "old")]).unwrap(),
            1 => drop(
                Client::connect(host.manager()).unwrap().call("delete_index", &index_code("gone")).unwrap(),
            ),
            _ => {}
        }
        host.stop();
        let (code, _, log) = run(&["drain", "--data", data.to_str().unwrap()], b"");
        assert_eq!(code, Some(0), "{log}");
    }
    let entries = fs::read_dir(data.join("raw/history")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rawlog")
}

fn epoch(segment: &Path) -> String {
    let name = segment.file_name().unwrap().to_str().unwrap();
    name.split('-').next().unwrap().to_owned()
}

#[test]
fn restored_with_a_gap_all_that_is_there_is_dealt() {
    let folder = tempfile::tempdir().unwrap();
    let files = history(&folder.path().join("old"), 4);
    let segments: Vec<_> = files.iter().filter(|path| is_segment(path)).cloned().collect();
    assert_eq!(segments.len(), 4, "{files:?}");
    for left_out in [None, Some(0), Some(2)] {
        let data = folder.path().join(format!("new-{left_out:?}"));
        let path = data.to_str().unwrap();
        fs::create_dir_all(data.join("raw/live")).unwrap();
        for file in files.iter().filter(|path| left_out.is_none_or(|place: usize| segments[place] != **path))
        {
            fs::copy(file, data.join("raw/live").join(file.file_name().unwrap())).unwrap();
        }
        let named = match left_out {
            None => None,
            Some(0) => Some(format!("nothing is there before epoch {}", epoch(&segments[1]))),
            Some(place) => Some(format!("nothing is there between epoch {}", epoch(&segments[place - 1]))),
        };
        let (code, findings, _) = run(&["verify", path], b"");
        assert_eq!(code, Some(i32::from(named.is_some())), "{findings}");
        let (code, _, log) = run(&["drain", "--data", path], b"");
        assert_eq!(code, Some(i32::from(named.is_some())), "{left_out:?}: {log}");
        let (_, after, _) = run(&["verify", path], b"");
        for text in [&findings, &log, &after] {
            assert!(named.as_ref().is_none_or(|named| text.contains(named)), "{left_out:?}: {text}");
        }
        fs::write(data.join("safe_to_read"), "").unwrap();
        let mut host = Host::started(&data, &["--shards", "1"]);
        let mut reader = Client::connect(host.reader()).unwrap();
        let there: Vec<_> = reader.recover("m").unwrap().0.into_keys().collect();
        let expected: Vec<_> = (0..4)
            .filter(|life| Some(*life) != left_out)
            .map(|life| format!("d{life}").into_bytes())
            .collect();
        assert_eq!(there, expected, "{left_out:?}");
        assert_eq!(reader.recover("gone").unwrap().0.len(), 0, "what was deleted stays deleted");
        host.stop();
    }
}
