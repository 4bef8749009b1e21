//! How a shard is set up, in words.

use std::str::FromStr;
use std::time::Duration;

use logtank_engine::ids::ShardId;
use logtank_engine::limits::Limits;
use logtank_engine::raw_log::{AppendMode, SyncMode};
use logtank_engine::shard::ShardConfig;
use logtank_os::ring::{RingConfig, WritePath};

const SPIN: Duration = Duration::from_micros(100);

/// `buffered` or `direct`, `-inline` or `-ring`, `-interval`, `-always` or `-never`, then any of the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    text: String,
    append: AppendMode,
    write: WritePath,
    sync: SyncMode,
    /// Write-out is left to the kernel.
    hoarded: bool,
    /// Each segment is a new file without blocks.
    pub(super) unwritten: bool,
    /// Each batch is a frame.
    single: bool,
    writes_in_flight: Option<usize>,
    spin: bool,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split('-');
        let mut word = || words.next().unwrap_or_default();
        let append = match word() {
            "buffered" => AppendMode::Buffered,
            "direct" => AppendMode::Direct,
            _ => return Err("a kind begins with buffered or direct".to_owned()),
        };
        let write = match word() {
            "inline" => WritePath::Inline,
            "ring" => WritePath::Ring,
            _ => return Err("then come -inline or -ring".to_owned()),
        };
        let sync = match word() {
            "interval" => SyncMode::Interval(Duration::from_secs(1)),
            "always" => SyncMode::Always,
            // Longer than any run.
            "never" => SyncMode::Interval(Duration::from_secs(3600)),
            _ => return Err("then come -interval, -always or -never".to_owned()),
        };
        let mut kind = Self {
            text: text.to_owned(),
            append,
            write,
            sync,
            hoarded: false,
            unwritten: false,
            single: false,
            writes_in_flight: None,
            spin: false,
        };
        for option in words {
            match option {
                "hoarded" => kind.hoarded = true,
                "unwritten" => kind.unwritten = true,
                "single" => kind.single = true,
                "spin" => kind.spin = true,
                number => {
                    let known = "the options are -hoarded, -unwritten, -single, -spin and a number of writes";
                    kind.writes_in_flight = Some(number.parse().map_err(|_| known.to_owned())?);
                }
            }
        }
        Ok(kind)
    }
}

impl Kind {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn is_direct(&self) -> bool {
        self.append == AppendMode::Direct
    }

    pub(super) fn shard(&self) -> ShardConfig {
        let mut config = ShardConfig::new(ShardId(0), Limits::default());
        let writer = &mut config.writer;
        (writer.append, writer.sync, writer.ready_target) = (self.append, self.sync, 4);
        if self.hoarded {
            writer.write_out_bytes = 0;
        }
        if self.single {
            writer.frame_bytes_target = 1;
        }
        if let Some(writes) = self.writes_in_flight {
            writer.writes_in_flight_max = writes;
        }
        config
    }

    pub(super) fn ring(&self) -> RingConfig {
        let busy_poll = if self.spin { SPIN } else { Duration::ZERO };
        RingConfig { write_path: self.write, busy_poll, ..RingConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_what_it_is() {
        let kind: Kind = "direct-ring-always-4-spin".parse().unwrap();
        assert_eq!(kind.shard().writer.writes_in_flight_max, 4);
        assert!(kind.is_direct() && kind.shard().writer.sync == SyncMode::Always);
        assert_eq!((kind.ring().write_path, kind.ring().busy_poll), (WritePath::Ring, SPIN));
        let kind: Kind = "buffered-inline-interval-hoarded".parse().unwrap();
        assert_eq!((kind.shard().writer.write_out_bytes, kind.ring().busy_poll), (0, Duration::ZERO));
    }

    #[test]
    fn what_is_no_kind_says_what_one_is() {
        for (wrong, said) in [
            ("echo", "begins with buffered or direct"),
            ("direct", "-inline or -ring"),
            ("direct-ring-sometimes", "-interval, -always or -never"),
            ("direct-ring-always-fast", "the options are"),
        ] {
            assert!(wrong.parse::<Kind>().unwrap_err().contains(said), "{wrong}");
        }
    }
}
