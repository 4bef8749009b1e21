//! Records against a naive reading of them.

use std::collections::BTreeMap;

use logtank_wire::decode_error::DecodeError;
use logtank_wire::kind::Kind;
use logtank_wire::record::{RecordView, RecordWriter, record_bytes, write_normalized};
use proptest::prelude::*;

use crate::naive::{Value, any_value};

pub(crate) type Strings = Vec<(Vec<u8>, Vec<u8>)>;

/// What a record says. Doubles by their bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NaiveRecord {
    pub(crate) id: Option<i64>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) index_code: Option<Vec<u8>>,
    pub(crate) docid: Option<Vec<u8>>,
    pub(crate) deleted: bool,
    pub(crate) fields: Option<Strings>,
    pub(crate) variables: Option<Vec<(i32, u64)>>,
    pub(crate) categories: Option<Strings>,
}

fn strings_of(entries: &[(Value, Value)]) -> Strings {
    let bytes = |value: &Value| match value {
        Value::String(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    entries.iter().map(|(key, value)| (bytes(key), bytes(value))).collect()
}

impl NaiveRecord {
    /// What a struct says if it is a record: later fields count, what is of another type does not.
    pub(crate) fn of_fields(fields: &[(i16, Value)]) -> Self {
        let mut record = Self::default();
        for field in fields {
            match field {
                (1, Value::I64(id)) => record.id = Some(*id),
                (2, Value::I64(timestamp)) => record.timestamp_ms = Some(*timestamp),
                (3, Value::String(code)) => record.index_code = Some(code.clone()),
                (4, Value::String(docid)) => record.docid = Some(docid.clone()),
                (5, Value::Bool(byte)) => record.deleted = *byte == 1,
                (6, Value::Map(Kind::String, Kind::String, entries)) => {
                    record.fields = Some(strings_of(entries))
                }
                (8, Value::Map(Kind::String, Kind::String, entries)) => {
                    record.categories = Some(strings_of(entries))
                }
                (7, Value::Map(Kind::I32, Kind::Double, entries)) => {
                    let entry = |entry: &(Value, Value)| match entry {
                        (Value::I32(key), Value::Double(value)) => (*key, *value),
                        other => panic!("{other:?}"),
                    };
                    record.variables = Some(entries.iter().map(entry).collect());
                }
                _ => {}
            }
        }
        record
    }

    pub(crate) fn of_view(view: &RecordView<'_>) -> Self {
        let strings = |map: logtank_wire::record::StringMap<'_>| {
            assert_eq!(map.iter().len(), map.len());
            map.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
        };
        Self {
            id: view.id,
            timestamp_ms: view.timestamp_ms,
            index_code: view.index_code.map(<[u8]>::to_vec),
            docid: view.docid.map(<[u8]>::to_vec),
            deleted: view.deleted,
            fields: view.fields.map(strings),
            variables: view
                .variables
                .map(|map| map.iter().map(|(key, value)| (key, value.to_bits())).collect()),
            categories: view.categories.map(strings),
        }
    }

    /// Its fields in order of their ids, without the id.
    fn canonical(&self) -> Value {
        let string = |text: &Vec<u8>| Value::String(text.clone());
        let strings = |map: &Strings| {
            let entries = map.iter().map(|(key, value)| (string(key), string(value))).collect();
            Value::Map(Kind::String, Kind::String, entries)
        };
        let variables = |map: &Vec<(i32, u64)>| {
            let entries = map.iter().map(|(key, value)| (Value::I32(*key), Value::Double(*value))).collect();
            Value::Map(Kind::I32, Kind::Double, entries)
        };
        let fields = [
            self.timestamp_ms.map(|time| (2, Value::I64(time))),
            self.index_code.as_ref().map(|code| (3, string(code))),
            self.docid.as_ref().map(|docid| (4, string(docid))),
            Some((5, Value::Bool(self.deleted.into()))),
            self.fields.as_ref().map(|map| (6, strings(map))),
            self.variables.as_ref().map(|map| (7, variables(map))),
            self.categories.as_ref().map(|map| (8, strings(map))),
        ];
        Value::Struct(fields.into_iter().flatten().collect())
    }

    /// What the original would store of it.
    pub(crate) fn normalized(&self, timestamp_ms: i64) -> Self {
        Self {
            id: None,
            timestamp_ms: Some(timestamp_ms),
            index_code: None,
            docid: self.docid.as_deref().map(text),
            deleted: self.deleted,
            fields: self.fields.as_ref().map(unique),
            variables: self.variables.as_ref().map(|map| {
                let last: BTreeMap<_, _> = map.iter().copied().collect();
                last.into_iter().collect()
            }),
            categories: self.categories.as_ref().map(unique),
        }
    }

    /// With the entries of maps in order, to compare what says the same.
    pub(crate) fn sorted(mut self) -> Self {
        self.fields.iter_mut().chain(&mut self.categories).for_each(|map| map.sort());
        self.variables.iter_mut().for_each(|map| map.sort_unstable());
        self
    }
}

/// Surrogates aside, Rust's lossy decoding is Java's.
fn text(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).into_owned().into_bytes()
}

fn unique(map: &Strings) -> Strings {
    let last: BTreeMap<_, _> = map.iter().map(|(key, value)| (text(key), text(value))).collect();
    last.into_iter().collect()
}

pub(crate) fn write(record: &NaiveRecord) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = RecordWriter::begin(&mut out);
    if let Some(timestamp) = record.timestamp_ms {
        writer.timestamp_ms(timestamp);
    }
    if let Some(code) = &record.index_code {
        writer.index_code(code);
    }
    if let Some(docid) = &record.docid {
        writer.docid(docid);
    }
    writer.deleted(record.deleted);
    if let Some(map) = &record.fields {
        writer.fields(map.iter().map(|(key, value)| (&key[..], &value[..])));
    }
    if let Some(map) = &record.variables {
        writer.variables(map.iter().map(|(key, value)| (*key, f64::from_bits(*value))));
    }
    if let Some(map) = &record.categories {
        writer.categories(map.iter().map(|(key, value)| (&key[..], &value[..])));
    }
    writer.finish();
    out
}

pub(crate) fn normalize(bytes: &[u8], timestamp_ms: i64) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write_normalized(&mut out, &RecordView::parse(bytes).unwrap().0, timestamp_ms);
    out.split_off(b"before".len())
}

/// Few characters, so that keys repeat; some are no UTF-8, but no surrogates.
fn any_string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => "[ab]{0,2}".prop_map(Vec::from),
        1 => "[a-zé日😀]{0,12}".prop_map(Vec::from),
        1 => prop::collection::vec(prop::sample::select(&b"a\x80\xc3\xff\xe6\x97\xf0\x9f"[..]), 0..5),
    ]
}

fn any_strings() -> impl Strategy<Value = Option<Strings>> {
    prop::option::of(prop::collection::vec((any_string(), any_string()), 0..24))
}

pub(crate) fn any_record() -> impl Strategy<Value = NaiveRecord> {
    let variables = prop::option::of(prop::collection::vec((-3..30i32, any::<u64>()), 0..24));
    let head =
        (any::<Option<i64>>(), prop::option::of(any_string()), prop::option::of(any_string()), any::<bool>());
    (head, any_strings(), variables, any_strings()).prop_map(
        |((timestamp_ms, index_code, docid, deleted), fields, variables, categories)| NaiveRecord {
            id: None,
            timestamp_ms,
            index_code,
            docid,
            deleted,
            fields,
            variables,
            categories,
        },
    )
}

/// Fields as no generated client writes them: in any order, repeated, unknown, of other types.
fn any_odd_fields() -> impl Strategy<Value = Vec<(i16, Value)>> {
    let good = || {
        any_record().prop_map(|record| match record.canonical() {
            Value::Struct(fields) => fields,
            other => panic!("{other:?}"),
        })
    };
    let odd = prop::collection::vec((0..10i16, any_value(3)), 0..4);
    (good(), odd, good()).prop_map(|(first, odd, second)| [first, odd, second].concat()).prop_shuffle()
}

proptest! {
    #[test]
    fn what_is_written_is_what_a_naive_encoder_writes_and_is_read_back(record in any_record()) {
        let bytes = write(&record);
        prop_assert_eq!(&bytes, &record.canonical().bytes());
        let (view, length) = RecordView::parse(&bytes).unwrap();
        prop_assert_eq!(length, bytes.len());
        prop_assert_eq!(NaiveRecord::of_view(&view), record);
    }

    #[test]
    fn any_struct_is_read_as_a_naive_reader_reads_it(fields in any_odd_fields(), behind: [u8; 3]) {
        let mut bytes = Value::Struct(fields.clone()).bytes();
        let length = bytes.len();
        bytes.extend(behind);
        let (view, parsed) = RecordView::parse(&bytes).unwrap();
        prop_assert_eq!(parsed, length);
        prop_assert_eq!(record_bytes(&bytes), Ok(length));
        prop_assert_eq!(NaiveRecord::of_view(&view), NaiveRecord::of_fields(&fields));
    }

    #[test]
    fn a_record_cut_anywhere_is_incomplete(fields in any_odd_fields()) {
        let bytes = Value::Struct(fields).bytes();
        for end in 0..bytes.len() {
            prop_assert_eq!(RecordView::parse(&bytes[..end]).unwrap_err(), DecodeError::Incomplete, "at {}", end);
            prop_assert_eq!(record_bytes(&bytes[..end]), Err(DecodeError::Incomplete), "at {}", end);
        }
    }

    #[test]
    fn the_normal_form_says_what_the_original_would_store(record in any_record(), time: i64) {
        let bytes = normalize(&write(&record), time);
        let (view, length) = RecordView::parse(&bytes).unwrap();
        prop_assert_eq!(length, bytes.len());
        prop_assert_eq!(NaiveRecord::of_view(&view).sorted(), record.normalized(time).sorted());
        prop_assert_eq!(normalize(&bytes, time), bytes);
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(0..16u8, 0..60)) {
        if let Ok((view, length)) = RecordView::parse(&bytes) {
            prop_assert!(length <= bytes.len());
            NaiveRecord::of_view(&view);
            normalize(&bytes, 0);
        }
        let _ = record_bytes(&bytes);
    }
}

#[test]
fn a_map_with_other_types_is_skipped_and_the_one_before_it_stays() {
    let strings =
        |key, value| Value::Map(Kind::String, Kind::String, vec![(Value::string(key), Value::string(value))]);
    let odd = Value::Map(Kind::String, Kind::I32, vec![(Value::string("k"), Value::I32(1))]);
    let bytes = Value::Struct(vec![(6, strings("a", "b")), (6, odd.clone()), (8, odd)]).bytes();
    let (view, _) = RecordView::parse(&bytes).unwrap();
    assert_eq!(NaiveRecord::of_view(&view).fields, Some(vec![(b"a".to_vec(), b"b".to_vec())]));
    assert!(view.categories.is_none());
}

#[test]
fn content_is_a_deletion_or_a_map_even_if_empty() {
    let has_content = |fields| RecordView::parse(&Value::Struct(fields).bytes()).unwrap().0.has_content();
    assert!(!has_content(vec![(4, Value::string("docid")), (5, Value::Bool(0))]));
    assert!(!has_content(vec![(5, Value::Bool(2))]));
    assert!(has_content(vec![(5, Value::Bool(1))]));
    assert!(has_content(vec![(8, Value::Map(Kind::String, Kind::String, vec![]))]));
}

#[test]
#[should_panic(expected = "field 4 of a record is written twice")]
fn a_field_written_twice_is_a_bug() {
    let mut out = Vec::new();
    let mut writer = RecordWriter::begin(&mut out);
    writer.docid(b"a");
    writer.docid(b"b");
}

#[test]
fn unknown_fields_are_skipped_to_a_bounded_depth() {
    let nested = |depth: usize| {
        let mut bytes = [12, 0, 99].repeat(depth);
        bytes.resize(bytes.len() + depth + 1, 0);
        let parsed = RecordView::parse(&bytes).map(|(_, length)| length);
        assert_eq!(record_bytes(&bytes), parsed, "scanning and parsing agree");
        parsed
    };
    assert_eq!(nested(64), Ok(64 * 4 + 1));
    assert!(matches!(nested(65), Err(DecodeError::Malformed { what: "values are nested too deep", .. })));
    assert!(matches!(nested(1_000_000), Err(DecodeError::Malformed { .. })));
}
