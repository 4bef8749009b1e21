//! Requests made before the run, so that sending one costs a copy at most.

use logtank_wire::record::RecordWriter;

use super::arguments::Arguments;

/// The requests that one connection sends in turn: unframed, strict, `send_batch`.
pub(super) fn of_connection(arguments: &Arguments, connection: usize) -> Vec<Vec<u8>> {
    // Enough variety that records go over all indexes, few enough to stay in the processor's cache.
    let variety = (64 / arguments.batch).max(1);
    (0..variety).map(|number| request(arguments, connection, number)).collect()
}

fn request(arguments: &Arguments, connection: usize, number: usize) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend_from_slice(&0x8001_0001_u32.to_be_bytes());
    let name = b"send_batch";
    message.extend_from_slice(&(name.len() as u32).to_be_bytes());
    message.extend_from_slice(name);
    message.extend_from_slice(&0u32.to_be_bytes());
    message.extend_from_slice(&[12, 0, 1, 15, 0, 1, 12]);
    message.extend_from_slice(&(arguments.batch as u32).to_be_bytes());
    for record in 0..arguments.batch {
        let serial = (connection * 7919 + number) * arguments.batch + record;
        encode(&mut message, arguments, serial);
    }
    message.extend_from_slice(&[0, 0]);
    message
}

fn encode(message: &mut Vec<u8>, arguments: &Arguments, serial: usize) {
    let mut bare = Vec::new();
    write(&mut bare, arguments, serial, b"");
    let length = arguments.record_bytes.saturating_sub(bare.len());
    let words = b"the quick brown fox jumps over the lazy dog ";
    let text: Vec<u8> = words.iter().copied().cycle().take(length).collect();
    write(message, arguments, serial, &text);
}

fn write(out: &mut Vec<u8>, arguments: &Arguments, serial: usize, text: &[u8]) {
    let mut record = RecordWriter::begin(out);
    record.index_code(format!("bench-{}", serial % arguments.indexes).as_bytes());
    record.docid(format!("doc-{}", serial % arguments.documents).as_bytes());
    record.deleted(false);
    record.fields([(&b"text"[..], text), (&b"timestamp"[..], &b"1700000000"[..])].into_iter());
    record.variables([(0, 1.5), (1, serial as f64)].into_iter());
    record.finish();
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn records_have_the_length_asked_for() {
        let arguments = Line::parse_from(["load", "--batch", "3", "--record-bytes", "500"]).arguments;
        let overhead = 4 + 4 + 10 + 4 + 7 + 4 + 2;
        for request in of_connection(&arguments, 5) {
            assert_eq!(request.len(), overhead + 3 * 500);
        }
    }
}
