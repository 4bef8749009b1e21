//! Bytes and names on disk; each file's byte table stands in its module's documentation.

pub(crate) mod block_table;
pub(crate) mod checkpoint;
pub(crate) mod frame_indexes;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod names;
pub(crate) mod pack;
pub(crate) mod raw;

pub use checkpoint::Checkpoint;
pub use index::{Point as SidecarPoint, Sidecar};
pub use layout::Layout;
pub use names::{
    RawName, SIDECAR_SUFFIX, SegmentKind, SegmentName, TEMPORARY_PREFIX, is_temporary, sidecar_of, time_of,
};
pub use pack::{Cell, CodeHash, DIRECTORY_BYTES_MAX, HEAD_BYTES, PackName, SliceKind};
pub use raw::{
    BlockError, FRAME_HEADER_BYTES, FRAMES_OFFSET, FrameHeader, HEADER_BYTES, Header as RawHeader,
    SEAL_BYTES, SEAL_OFFSET, Salt, Seal as RawSeal, SealedBy, VERSION as RAW_VERSION,
};
