//! Records as JSON, one object a line: what `write` takes and `read` prints.
//!
//! ```json
//! {"docid":"a","deleted":false,"fields":{"text":"…"},"variables":{"0":1.5},"categories":{"color":"red"}}
//! ```
//!
//! Only `docid` is required. Keys of `variables` are 32-bit integers; JSON has no infinities and NaNs, so those
//! are the strings "Infinity", "-Infinity" and "NaN".

use std::borrow::Cow;
use std::collections::BTreeMap;

use logtank_wire::record::{RecordView, RecordWriter, StringMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A record.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordJson<'a> {
    pub(crate) docid: Cow<'a, str>,
    #[serde(default)]
    pub(crate) deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fields: Option<Strings<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variables: Option<BTreeMap<i32, Number>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) categories: Option<Strings<'a>>,
}

type Strings<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

/// A double, also one that JSON has no number for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"")
            }
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            #[expect(clippy::cast_precision_loss, reason = "a double is what there is to hold it")]
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            #[expect(clippy::cast_precision_loss, reason = "a double is what there is to hold it")]
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "NaN" => Ok(Number(f64::NAN)),
                    "Infinity" => Ok(Number(f64::INFINITY)),
                    "-Infinity" => Ok(Number(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'a> RecordJson<'a> {
    /// The record that a line holds.
    ///
    /// # Errors
    /// What is wrong with it, and at which column of the line.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, String> {
        // The library also takes an array, of values in the order of the fields; nobody means that.
        if let Some(first) = line.trim_ascii_start().first().filter(|first| **first != b'{') {
            let shown = first.escape_ascii();
            return Err(format!(
                "it begins with `{shown}`; a record is an object, as in {{\"docid\":\"d\"}}"
            ));
        }
        serde_json::from_slice(line).map_err(|error| {
            // A line is one line; which one of how many, the caller knows.
            let (text, column) = (error.to_string(), error.column());
            let place = format!(" at line {} column {column}", error.line());
            format!("{}, at column {column}", text.strip_suffix(&place).unwrap_or(&text))
        })
    }

    /// The record that these Thrift bytes hold. Bytes that are not UTF-8 become U+FFFD; of a key that occurs
    /// twice the last value counts.
    pub(crate) fn from_view(view: &RecordView<'a>) -> Self {
        let variables = |map: logtank_wire::record::VariableMap<'a>| {
            map.iter().map(|(key, value)| (key, Number(value))).collect()
        };
        Self {
            docid: String::from_utf8_lossy(view.docid.unwrap_or_default()),
            deleted: view.deleted,
            fields: view.fields.map(strings),
            variables: view.variables.map(variables),
            categories: view.categories.map(strings),
        }
    }

    /// Appends the record in Thrift binary, as one of the index `index_code`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, index_code: &str) {
        let mut writer = RecordWriter::begin(out);
        writer.index_code(index_code.as_bytes());
        writer.docid(self.docid.as_bytes());
        writer.deleted(self.deleted);
        if let Some(fields) = &self.fields {
            writer.fields(fields.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())));
        }
        if let Some(variables) = &self.variables {
            writer.variables(variables.iter().map(|(key, value)| (*key, value.0)));
        }
        if let Some(categories) = &self.categories {
            writer.categories(categories.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())));
        }
        writer.finish();
    }
}

fn strings(map: StringMap<'_>) -> Strings<'_> {
    map.iter().map(|(key, value)| (String::from_utf8_lossy(key), String::from_utf8_lossy(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_wire() {
        let line = r#"{"docid":"a","deleted":true,"fields":{"t":"x\ny"},"variables":{"-1":"NaN","0":0.1},"categories":{"c":"ü"}}"#;
        let record: RecordJson<'_> = serde_json::from_str(line).unwrap();
        let mut bytes = Vec::new();
        record.encode(&mut bytes, "m");
        let (view, length) = RecordView::parse(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!(view.index_code, Some(&b"m"[..]));
        assert_eq!(serde_json::to_string(&RecordJson::from_view(&view)).unwrap(), line);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_once_and_with_its_column() {
        for (line, said) in [
            (&b"[\"d\"]"[..], "it begins with `[`; a record is an object, as in {\"docid\":\"d\"}"),
            (b"  [[\"d\", true]]", "it begins with `[`"),
            (b"\"d\"", "it begins with `\\\"`"),
            (b"{d: 1}", "key must be a string, at column 2"),
            (b"{\"docid\":\"d\"", "EOF while parsing an object, at column 12"),
            (b"{\"docid\":\"\xff\"}", "at column"),
            (b"{\"docid\":\"d\"} {}", "trailing characters, at column 15"),
        ] {
            let error = RecordJson::parse(line).unwrap_err();
            assert!(error.contains(said) && !error.contains("at line"), "{error}");
        }
        assert_eq!(RecordJson::parse(b" {\"docid\":\"d\"}\r\n").unwrap().docid, "d");
    }

    #[test]
    fn what_is_not_set_stays_unset() {
        let record: RecordJson<'_> = serde_json::from_str(r#"{"docid":"a","deleted":false}"#).unwrap();
        assert_eq!(record, RecordJson { docid: "a".into(), ..RecordJson::default() });
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"docid":"a","deleted":false}"#);
    }

    #[test]
    fn mistyped_names_and_numbers_are_refused() {
        for bad in [r#"{"docid":"a","field":{}}"#, r#"{"fields":{}}"#, r#"{"docid":"a","variables":{"x":1}}"#]
        {
            assert!(serde_json::from_str::<RecordJson<'_>>(bad).is_err(), "{bad}");
        }
    }
}
