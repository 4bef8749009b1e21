//! The golden cases, loaded.

use std::fs;
use std::path::Path;

use logtank_wire::kind::Kind;
use serde_json::Value as Json;

use crate::naive::Value;

#[derive(Debug)]
pub(crate) struct Case {
    /// `SITUATION/NUMBER-CASE`
    pub(crate) name: String,
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    /// Absent for one case.
    pub(crate) json: Json,
}

/// All cases, in order.
pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = Vec::new();
    for situation in fs::read_dir(&root).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(situation.path()).unwrap().map(Result::unwrap) {
            let path = file.path();
            let Some(stem) = path.to_str().unwrap().strip_suffix(".resp.bin") else { continue };
            let name = stem.strip_prefix(root.to_str().unwrap()).unwrap()[1..].to_owned();
            let request = if name == "01-writes/023-field-1MB" {
                one_mebibyte_field()
            } else {
                fs::read(format!("{stem}.req.bin")).unwrap()
            };
            let json = fs::read(format!("{stem}.json"))
                .map_or(Json::Null, |json| serde_json::from_slice(&json).unwrap());
            cases.push(Case { name, request, response: fs::read(&path).unwrap(), json });
        }
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(cases.len(), 101, "the golden files are there");
    cases
}

pub(crate) fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// A request that is a megabyte long because of one field.
fn one_mebibyte_field() -> Vec<u8> {
    let fields = [("text", "0123456789abcdef".repeat(65_536)), ("timestamp", "8".to_owned())];
    let fields = fields.map(|(key, value)| (Value::string(key), Value::String(value.into())));
    let record = Value::Struct(vec![
        (3, Value::string("big")),
        (4, Value::string("bigdoc")),
        (5, Value::Bool(0)),
        (6, Value::Map(Kind::String, Kind::String, fields.to_vec())),
    ]);
    let batch = Value::Struct(vec![(1, Value::List(Kind::Struct, vec![record]))]);
    let mut request = b"\x80\x01\0\x01\0\0\0\x0asend_batch\0\0\0\0".to_vec();
    Value::Struct(vec![(1, batch)]).write(&mut request);
    assert_eq!(request.len(), 1_048_678);
    request
}

pub(crate) fn kind_of(name: &str) -> Kind {
    match name {
        "bool" => Kind::Bool,
        "double" => Kind::Double,
        "i32" => Kind::I32,
        "i64" => Kind::I64,
        "string" => Kind::String,
        "struct" => Kind::Struct,
        "map" => Kind::Map,
        "set" => Kind::Set,
        "list" => Kind::List,
        "i16" => Kind::I16,
        "byte" => Kind::Byte,
        _ => panic!("type {name}"),
    }
}

fn bytes_of(json: &Json) -> Vec<u8> {
    if let Some(text) = json.as_str() {
        return text.into();
    }
    if let Some(prefix) = json["prefix"].as_str() {
        let length = usize::try_from(json["len"].as_u64().unwrap()).unwrap();
        return prefix.bytes().take(16).cycle().take(length).collect();
    }
    let hex = json["hex"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The value of this type that a golden JSON says.
pub(crate) fn value_of(kind: Kind, json: &Json) -> Value {
    let values_of = |json: &Json| {
        let kind = kind_of(json["e_t"].as_str().unwrap());
        (kind, json["e"].as_array().unwrap().iter().map(|element| value_of(kind, element)).collect())
    };
    match kind {
        Kind::Bool => Value::Bool(json.as_bool().unwrap().into()),
        Kind::Byte => Value::Byte(u8::try_from(json.as_u64().unwrap()).unwrap()),
        Kind::I16 => Value::I16(json.as_i64().unwrap().try_into().unwrap()),
        Kind::I32 => Value::I32(json.as_i64().unwrap().try_into().unwrap()),
        Kind::I64 => Value::I64(json.as_i64().unwrap()),
        Kind::Double => Value::Double(match json["hex"].as_str() {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
            None => json.as_f64().unwrap().to_bits(),
        }),
        Kind::String => Value::String(bytes_of(json)),
        Kind::Struct => Value::Struct(fields_of(json)),
        Kind::Set => {
            let (kind, values) = values_of(json);
            Value::Set(kind, values)
        }
        Kind::List => {
            let (kind, values) = values_of(json);
            Value::List(kind, values)
        }
        Kind::Map => {
            let (key, value) = (kind_of(json["k"].as_str().unwrap()), kind_of(json["v"].as_str().unwrap()));
            let entries = json["e"].as_array().unwrap().iter();
            Value::Map(
                key,
                value,
                entries.map(|entry| (value_of(key, &entry[0]), value_of(value, &entry[1]))).collect(),
            )
        }
    }
}

/// The fields of a struct, in the order sent.
pub(crate) fn fields_of(json: &Json) -> Vec<(i16, Value)> {
    let field = |json: &Json| {
        let kind = kind_of(json[1].as_str().unwrap());
        (i16::try_from(json[0].as_i64().unwrap()).unwrap(), value_of(kind, &json[2]))
    };
    json.as_array().unwrap().iter().map(field).collect()
}
