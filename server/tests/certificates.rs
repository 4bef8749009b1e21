//! Certificates for encrypted ports.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// A certificate that signed itself, valid for these whole years, and its key: their files.
pub(crate) fn files(folder: &Path, name: &str, years: std::ops::Range<i32>) -> [String; 2] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = date_time_ymd(years.start, 1, 1);
    params.not_after = date_time_ymd(years.end, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let path = |kind: &str| folder.join(format!("{name}.{kind}")).to_str().unwrap().to_owned();
    std::fs::write(path("pem"), certificate.pem()).unwrap();
    std::fs::write(path("key"), key.serialize_pem()).unwrap();
    [path("pem"), path("key")]
}
