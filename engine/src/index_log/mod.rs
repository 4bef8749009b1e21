//! One index: its segments, what follows what, and how they are merged.
