//! The host's certificate: when it ends, and taking one that replaced it into use.

use std::time::SystemTime;

use crate::config::Tls;
use crate::metrics::HostMetrics;

/// Shows when it ends.
pub(super) fn note(tls: &Tls, metrics: &HostMetrics) {
    if let Some(at) = tls.expiry() {
        metrics.certificate_expiry.set(at);
    }
}

/// Takes a certificate that was replaced into use.
pub(super) fn read_again(tls: &Tls, metrics: &HostMetrics) {
    match tls.read_again() {
        None => tracing::warn!(
            "SIGHUP has no effect: settings are read at the start; restart the host to have them read"
        ),
        Some(Err(error)) => {
            tracing::error!("SIGHUP: the host goes on with the certificate that it has: {error}");
        }
        Some(Ok(())) => {
            note(tls, metrics);
            tracing::info!(
                "SIGHUP: new connections see the certificate as it is now in its file; other settings are read at the start only"
            );
            if let Some(warning) = tls.warning(SystemTime::now()) {
                tracing::warn!("{warning}");
            }
        }
    }
}
