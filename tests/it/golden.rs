//! Data directories that the original server wrote, opened as they are, recover to what it recovered.

use std::path::{Path, PathBuf};

use logtank_tests::apply::{Document, State};
use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};

pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The state that the original's pages give, in order; docids and texts as UTF-8.
fn expected(recovery: &Path) -> (String, State) {
    // Python wrote these, and its JSON has words for doubles that JSON has not.
    let mut text = std::fs::read_to_string(recovery).unwrap();
    for (word, bits) in [(" -Infinity", f64::NEG_INFINITY), (" Infinity", f64::INFINITY), (" NaN", f64::NAN)]
    {
        text = text.replace(word, &format!(" {{\"hex\": \"{:016x}\"}}", bits.to_bits()));
    }
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut state = State::new();
    for record in
        json["pages"].as_array().unwrap().iter().flat_map(|page| page["records"].as_array().unwrap())
    {
        let docid = record["docid"].as_str().unwrap().as_bytes().to_vec();
        if record["deleted"] == true {
            state.remove(&docid);
        }
        let parts = ["fields", "variables", "categories"]
            .map(|name| record.get(name).and_then(|map| map.as_object()));
        if parts.iter().all(Option::is_none) {
            continue;
        }
        let document: &mut Document = state.entry(docid).or_default();
        let [fields, variables, categories] = parts;
        let text = |value: &serde_json::Value| match value {
            // The one long text is recorded by length and hash only: the sixteen digits, repeated.
            serde_json::Value::Object(long) => {
                Some(b"0123456789abcdef".repeat(usize::try_from(long["len"].as_u64()?).ok()? / 16))
            }
            text => text.as_str().map(|text| text.as_bytes().to_vec()),
        };
        if let Some(fields) = fields {
            document.fields = Some(
                fields
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone().into_bytes(), text(value)?)))
                    .collect(),
            );
        }
        for (number, value) in variables.into_iter().flatten() {
            let bits = match value {
                serde_json::Value::Object(special) => {
                    u64::from_str_radix(special["hex"].as_str().unwrap(), 16).unwrap()
                }
                number => number.as_f64().unwrap().to_bits(),
            };
            document.variables.insert(number.parse().unwrap(), bits);
        }
        for (key, value) in categories.into_iter().flatten() {
            document.categories.insert(key.clone().into_bytes(), text(value).unwrap());
        }
    }
    (json["index"].as_str().unwrap().to_owned(), state)
}

/// What the original recovered, by the file's name.
pub(crate) fn expected_of(file: &str) -> (String, State) {
    expected(&golden().join("recovery").join(file))
}

/// What this host recovers, with NaNs as the original has them: it makes all of them one, this host keeps the bits
/// that the client sent.
pub(crate) fn recovered(host: &Host, index: &str) -> State {
    let (mut state, _) = Client::connect(host.reader()).unwrap().recover(index).unwrap();
    for bits in state.values_mut().flat_map(|document| document.variables.values_mut()) {
        if f64::from_bits(*bits).is_nan() {
            *bits = f64::NAN.to_bits();
        }
    }
    state
}

fn compare(tree: &str, name: &str, host: &Host) {
    let mut compared = 0;
    for entry in std::fs::read_dir(golden().join("recovery")).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")) {
            continue;
        }
        let (index, expected) = expected(&path);
        let mut state = recovered(host, &index);
        // Written between the recovery and the copy of the tree.
        if tree == "02-dealt-unsorted" && index == "idx1" {
            assert!(state.remove(b"live-after-roll".as_slice()).is_some(), "what was live is there too");
        }
        assert!(state == expected, "{name}: {index}: recovered {state:#?}, expected {expected:#?}");
        compared += 1;
    }
    assert!(compared > 0 || name == "00-empty", "nothing to compare for {name}");
}

/// Opens the tree as it is; then optimizes and drains it, and compares again.
fn opens(name: &str, recovery: &str) {
    opens_with_findings(name, recovery, &[]);
}

/// As [`opens`], of a tree in which `verify` finds just these things.
fn opens_with_findings(name: &str, recovery: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy(&golden().join("tree").join(name), &data);
    let mut host = Host::started(&data, &[]);
    compare(name, recovery, &host);
    host.stop();
    let path = data.to_str().unwrap();
    verify(path, expected);
    let (code, _, log) = run(&["drain", "--data", path], b"");
    assert_eq!(code, Some(0), "{log}");
    verify(path, expected);
    host.start();
    compare(name, recovery, &host);
}

fn verify(path: &str, expected: &[&str]) {
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(i32::from(!expected.is_empty())), "{findings}\n{log}");
    let found: Vec<&str> = findings.lines().filter(|line| line.contains("corrupt")).collect();
    assert_eq!(found.len(), expected.len(), "{findings}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_fresh_tree() {
    opens("00-empty", "00-empty");
}

#[test]
fn live_only() {
    opens("01-live-only", "02-live-read");
}

#[test]
fn dealt_and_unsorted() {
    opens("02-dealt-unsorted", "02-live-read");
}

#[test]
fn three_unsorted_segments() {
    opens("10-three-unsorted", "10-three-unsorted");
}

#[test]
fn all_four_kinds_at_once() {
    opens("14-optimized-sorted-unsorted-live", "14-optimized-sorted-unsorted-live");
}

#[test]
fn a_torn_tail_costs_only_the_torn_record() {
    let torn = ["1795343929823.raw is corrupt at byte 332"];
    opens_with_findings("30-torn-tail-last-raw", "30-torn-tail-last-raw", &torn);
}
