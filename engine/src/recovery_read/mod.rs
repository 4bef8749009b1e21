//! Streaming the state of an index back to an engine that recovers.
