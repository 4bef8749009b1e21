//! Whether the host serves everything, as a number that alerts can be made of.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::Health;

#[derive(Debug)]
pub(super) struct ReadinessCollector(pub(super) Health);

impl Collector for ReadinessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while everything is served, 0 while /readyz gives a reason why not.";
        let ready = u64::from(self.0.not_ready().is_none());
        encoder.encode_descriptor("logtank_ready", help, None, MetricType::Gauge)?.encode_gauge(&ready)
    }
}
