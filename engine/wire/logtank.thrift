// The interface of LogTank, a storage host for the write-ahead logs of search indexes.
//
// It is wire-compatible with IndexTank's log storage: clients generated from either IDL work with either server. The
// transport is TBinaryProtocol over TCP, framed or unframed; the server looks at the first bytes of a connection and
// answers in kind. Calls may be pipelined; replies come in their order.
//
// No method declares an exception. Every error is a TApplicationException whose text says what to do; the connection stays
// usable, unless its bytes could not be parsed any further.

namespace java logtank.rpc
namespace py logtank.rpc

// One change of one document. A receiver applies it in this order: if `deleted`, delete the document; if `fields` is set,
// add the document with `fields` and `variables`, else update its variables; then set `categories`, if set.
struct LogRecord {
  // Reserved; a batch with a record that has one is refused.
  1: optional i64 id,
  // When the host took it, in milliseconds since 1970 (UTC). Set by the host, whatever the client sends.
  2: optional i64 timestamp_ms,
  // The index: 1 to 128 of A-Z a-z 0-9 . _ - and not beginning with a dot. Required in batches, absent in pages.
  3: optional string index_code,
  // The document in the index.
  4: string docid,
  5: bool deleted,
  // Replace all fields of the document.
  6: optional map<string,string> fields,
  // Replace the variables with these numbers; others stay.
  7: optional map<i32,double> variables,
  // Replace these categories; others stay.
  8: optional map<string,string> categories
}

struct LogBatch {
  1: list<LogRecord> records
}

// How far a recovery is. Only for people to read: what counts stands in OBSOLETE_2.
enum PageType {
  initial = 0,
  optimized = 1,
  index = 2,
  live = 3
}

// Where a recovery goes on. Begin with an empty one; then pass back what the last page gave, with every field as it came.
struct LogPageToken {
  1: optional PageType type = PageType.initial,
  2: optional i64 timestamp,
  3: optional i64 OBSOLETE_1,
  // Belongs to the host; opaque to clients.
  4: optional string OBSOLETE_2,
  5: optional i64 file_position,
  6: optional bool OBSOLETE_3,
  7: optional PageType next_type,
  8: optional i64 next_timestamp
}

struct LogPage {
  // To be applied in order.
  1: LogBatch batch,
  // Absent on the last page: the recovery is complete.
  2: optional LogPageToken next_page_token
}

// A file of records.
struct SegmentInfo {
  // The time in its name, in milliseconds since 1970 (UTC).
  1: i64 timestamp,
  2: i64 end_timestamp,
  // Bytes of whole records.
  3: i64 valid_length,
  // Bytes of the file.
  4: i64 actual_length,
  5: i32 record_count,
  // Whether it is ordered by docid and holds each docid once.
  6: bool sorted
}

// What was received and not yet split by index.
struct RawLogInfo {
  1: list<SegmentInfo> undealt_segments,
  // The first segment not split yet, in milliseconds since 1970 (UTC).
  2: i64 dealer_next_timestamp
}

// What an index consists of.
struct IndexLogInfo {
  1: list<SegmentInfo> optimized_segments,
  2: list<SegmentInfo> sorted_segments,
  3: list<SegmentInfo> unsorted_segments,
  4: i64 optimized_record_count,
  5: i64 unoptimized_record_count,
  6: i32 unoptimized_segments,
  // In milliseconds since 1970 (UTC); 0 if never.
  7: i64 last_optimization_timestamp
}

// Urgency of an index that waits for optimization.
struct QueueScore {
  // Lower goes first.
  1: i32 priority,
  // Among equals, higher goes first.
  2: double score
}

// Port 15000.
service LogWriter {
  // Stores all records of the batch, or refuses it whole. Sending a batch again is harmless.
  void send_batch(1: LogBatch batch)
}

// Port 15100.
service LogReader {
  // The next page of a recovery of this index.
  LogPage read_page(1: string index_code, 2: LogPageToken token)
}

// Port 16000.
service LogManager {
  IndexLogInfo get_index_log_info(1: string index_code),

  RawLogInfo get_raw_log_info(),

  // A waiting index keeps its place if that is more urgent.
  void enqueue_for_optimization(1: string index_code, 2: i32 priority, 3: double score),

  // Deletes everything of the index that was acknowledged before, for ever.
  void delete_index(1: string index_code),

  map<string,QueueScore> get_optimization_queue(),

  list<string> list_existing_indexes()
}
