//! What the records look like and where they go.

use std::io::{Error, Result};

/// The shape of the load.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Shape {
    /// Records of a batch.
    #[arg(long, default_value_t = 1)]
    pub(crate) batch: usize,
    /// Bytes of a record that adds a document, as it is sent; at least 128.
    #[arg(long, default_value_t = 1024)]
    pub(crate) record_bytes: usize,
    /// Indexes that the records go to.
    #[arg(long, default_value_t = 100)]
    pub(crate) indexes: usize,
    /// How unevenly: 0 is all alike, 1 gives the second index half of what the first gets, the third a third (Zipf).
    #[arg(long, default_value_t = 0.0)]
    pub(crate) skew: f64,
    /// Documents that each connection changes, in turn.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) documents: u64,
    /// Fields of a document; the first takes what is left of the record's bytes.
    #[arg(long, default_value_t = 2)]
    pub(crate) fields: usize,
    /// Variables of a document.
    #[arg(long, default_value_t = 2)]
    pub(crate) variables: usize,
    /// Categories of a document.
    #[arg(long, default_value_t = 0)]
    pub(crate) categories: usize,
    /// Of 100 records, how many change variables only.
    #[arg(long, default_value_t = 0)]
    pub(crate) updates: u8,
    /// Of 100 records, how many delete their document.
    #[arg(long, default_value_t = 0)]
    pub(crate) deletes: u8,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            batch: 1,
            record_bytes: 1024,
            indexes: 100,
            skew: 0.0,
            documents: 10_000,
            fields: 2,
            variables: 2,
            categories: 0,
            updates: 0,
            deletes: 0,
        }
    }
}

impl Shape {
    /// # Errors
    /// What can't be meant.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = if self.batch == 0 || self.indexes == 0 || self.documents == 0 {
            Some("--batch, --indexes and --documents must be at least 1")
        } else if self.fields == 0 || self.variables == 0 {
            Some(
                "--fields and --variables must be at least 1: they tell one version of a document from another",
            )
        } else if self.updates.saturating_add(self.deletes) > 100 {
            Some("--updates and --deletes are parts of 100 records: together at most 100")
        } else if self.record_bytes < 128 {
            Some("--record-bytes must be at least 128")
        } else if !(0.0..=10.0).contains(&self.skew) {
            Some("--skew must be from 0 to 10")
        } else {
            None
        };
        wrong.map_or(Ok(()), |what| Err(Error::other(what)))
    }
}
