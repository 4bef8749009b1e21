//! Names of the methods.

/// Of `LogWriter`.
pub const SEND_BATCH: &str = "send_batch";
/// Of `LogReader`.
pub const READ_PAGE: &str = "read_page";
/// Of `LogManager`.
pub const GET_INDEX_LOG_INFO: &str = "get_index_log_info";
/// Of `LogManager`.
pub const GET_RAW_LOG_INFO: &str = "get_raw_log_info";
/// Of `LogManager`.
pub const ENQUEUE_FOR_OPTIMIZATION: &str = "enqueue_for_optimization";
/// Of `LogManager`.
pub const DELETE_INDEX: &str = "delete_index";
/// Of `LogManager`.
pub const GET_OPTIMIZATION_QUEUE: &str = "get_optimization_queue";
/// Of `LogManager`.
pub const LIST_EXISTING_INDEXES: &str = "list_existing_indexes";
