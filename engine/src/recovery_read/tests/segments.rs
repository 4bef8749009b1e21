//! Pages out of segments.
