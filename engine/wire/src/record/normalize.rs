//! The form in which index segments hold records.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::id;
use super::maps::{StringMap, VariableMap};
use super::text::to_utf8;
use super::view::RecordView;
use super::writer::RecordWriter;

/// Up to so many keys each is compared with each: without allocation, and faster than sorting.
const FEW_KEYS: usize = 16;

/// Writes `record` without its index_code and id, with this timestamp, each map's key once (its last entry counts)
/// and each string made valid UTF-8 (bytes that are not become U+FFFD, as the original's decoder does): the form in
/// which index segments hold it and recoveries are answered.
///
/// `deleted` is always written; what else is absent stays absent, and a map that is set but empty stays so.
pub fn write_normalized(out: &mut Vec<u8>, record: &RecordView<'_>, timestamp_ms: i64) {
    let mut writer = RecordWriter::begin(out);
    writer.timestamp_ms(timestamp_ms);
    if let Some(docid) = record.docid {
        writer.docid(&to_utf8(docid));
    }
    writer.deleted(record.deleted);
    if let Some(fields) = &record.fields {
        write_string_map(&mut writer, id::FIELDS, fields);
    }
    if let Some(variables) = &record.variables {
        write_variables(&mut writer, variables);
    }
    if let Some(categories) = &record.categories {
        write_string_map(&mut writer, id::CATEGORIES, categories);
    }
    writer.finish();
}

fn write_string_map(writer: &mut RecordWriter<'_>, id: i16, map: &StringMap<'_>) {
    let is_utf8 = map.iter().all(|(key, value)| str::from_utf8(key).is_ok() && str::from_utf8(value).is_ok());
    if is_utf8 && keys_differ(map.iter().map(|(key, _)| key)) {
        return writer.string_map_as_is(id, map);
    }
    // Keys that differ as bytes may be the same as text.
    let entries = last_of_each_key(map.iter().map(|(key, value)| (to_utf8(key), value)));
    let entries: Vec<(Cow<'_, [u8]>, _)> =
        entries.into_iter().map(|(key, value)| (key, to_utf8(value))).collect();
    writer.string_map_of(id, &entries);
}

fn write_variables(writer: &mut RecordWriter<'_>, map: &VariableMap<'_>) {
    if keys_differ(map.iter().map(|(key, _)| key)) {
        return writer.variables_as_is(map);
    }
    writer.variables(last_of_each_key(map.iter()).into_iter());
}

fn keys_differ<K: Ord>(keys: impl ExactSizeIterator<Item = K> + Clone) -> bool {
    if keys.len() <= FEW_KEYS {
        let mut rest = keys;
        while let Some(key) = rest.next() {
            if rest.clone().any(|other| other == key) {
                return false;
            }
        }
        return true;
    }
    let mut keys: Vec<K> = keys.collect();
    keys.sort_unstable();
    keys.windows(2).all(|pair| pair[0] != pair[1])
}

/// The last entry of each key, in the order of the first ones.
fn last_of_each_key<K: Ord + Clone, V>(entries: impl Iterator<Item = (K, V)>) -> Vec<(K, V)> {
    let mut kept: Vec<(K, V)> = Vec::new();
    let mut place_of = BTreeMap::new();
    for (key, value) in entries {
        match place_of.get(&key) {
            Some(&place) => {
                let (_, kept_value): &mut (K, V) = &mut kept[place];
                *kept_value = value;
            }
            None => {
                place_of.insert(key.clone(), kept.len());
                kept.push((key, value));
            }
        }
    }
    kept
}
