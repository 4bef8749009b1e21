//! The right answer: what each index must hold.

use std::collections::BTreeMap;

use crate::record_json::RecordJson;

/// A document as an engine has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Document {
    fields: Option<BTreeMap<String, String>>,
    variables: BTreeMap<i32, u64>,
    categories: BTreeMap<String, String>,
}

/// An index as an engine has it, by docid.
pub(super) type Index = BTreeMap<String, Document>;

/// Applies a record as engines do: a deletion first, then fields replace fields, variables and categories are merged.
pub(super) fn apply(index: &mut Index, record: &RecordJson<'_>) {
    if record.deleted {
        index.remove(record.docid.as_ref());
    }
    if record.fields.is_none() && record.variables.is_none() && record.categories.is_none() {
        return;
    }
    let document = index.entry(record.docid.to_string()).or_default();
    let owned = |map: &BTreeMap<_, _>| -> BTreeMap<String, String> {
        map.iter()
            .map(|(key, value): (&std::borrow::Cow<'_, str>, &std::borrow::Cow<'_, str>)| {
                (key.to_string(), value.to_string())
            })
            .collect()
    };
    if let Some(fields) = &record.fields {
        document.fields = Some(owned(fields));
    }
    for (key, value) in record.variables.iter().flatten() {
        // Bit by bit, so that every double equals itself.
        document.variables.insert(*key, value.0.to_bits());
    }
    if let Some(categories) = &record.categories {
        document.categories.extend(owned(categories));
    }
}

/// How many documents differ, or are only in one of the two.
pub(super) fn differences(expected: &Index, found: &Index) -> usize {
    let missing_or_wrong =
        expected.iter().filter(|(docid, document)| found.get(*docid) != Some(document)).count();
    missing_or_wrong + found.keys().filter(|docid| !expected.contains_key(*docid)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_applied_as_engines_do() {
        let mut index = Index::new();
        for line in [
            r#"{"docid":"a","fields":{"t":"1","u":"2"},"variables":{"0":1},"categories":{"c":"x"}}"#,
            r#"{"docid":"a","variables":{"1":2}}"#,
            r#"{"docid":"a","fields":{"t":"3"}}"#,
            r#"{"docid":"b","variables":{"0":5}}"#,
            r#"{"docid":"b","deleted":true}"#,
        ] {
            apply(&mut index, &serde_json::from_str(line).unwrap());
        }
        let a = Document {
            fields: Some(BTreeMap::from([("t".into(), "3".into())])),
            variables: BTreeMap::from([(0, 1f64.to_bits()), (1, 2f64.to_bits())]),
            categories: BTreeMap::from([("c".into(), "x".into())]),
        };
        assert_eq!(index, Index::from([("a".to_owned(), a.clone())]));
        assert_eq!(differences(&index, &Index::new()), 1);
        assert_eq!(differences(&Index::new(), &index), 1);
        assert_eq!(differences(&index, &index), 0);
    }
}
