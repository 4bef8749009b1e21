//! The raw log: what was received, in order.
