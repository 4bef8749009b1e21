//! Pages out of the raw log.
