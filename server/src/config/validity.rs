//! From when until when a certificate holds. Only that is read of it, with each length checked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Both ends are part of it, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(14 * 86_400);

impl Validity {
    /// Of a certificate in DER; `None` if these bytes are none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = value(certificate, SEQUENCE)?;
        let (mut fields, _) = value(certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            fields = any(fields)?.2;
        }
        // The serial number, the algorithm, the issuer.
        for _ in 0..3 {
            fields = any(fields)?.2;
        }
        let (period, _) = value(fields, SEQUENCE)?;
        let (from, rest) = time(period)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    /// What clients will say of it, or soon.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        let at = |seconds| {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
        };
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if seconds > self.until {
            Some(format!("the certificate expired at {}: clients refuse it", at(self.until)))
        } else if seconds < self.from {
            Some(format!(
                "the certificate is not valid before {}: clients refuse it (is this machine's clock right?)",
                at(self.from)
            ))
        } else if self.until - seconds < SOON.as_secs() {
            Some(format!("the certificate expires at {}", at(self.until)))
        } else {
            None
        }
    }
}

/// Tag and contents of the value that `bytes` begin with, and what follows it.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        // Four bytes are more than any certificate.
        let length = (1..=4).contains(&length.len()).then_some(length)?;
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

fn value(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, contents, rest) = any(bytes)?;
    (tag == wanted).then_some((contents, rest))
}

/// A time in seconds since 1970, and what follows it.
fn time(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (tag, text, rest) = any(bytes)?;
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text)
        }
        GENERALIZED_TIME => {
            let (year, text) = text.split_at_checked(4)?;
            (year.parse().ok()?, text)
        }
        _ => return None,
    };
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let [month, day, hour, minute, second] =
        [0, 2, 4, 6, 8].map(|at| text[at..at + 2].parse::<u64>().unwrap_or_default());
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    let at = humantime::parse_rfc3339(&text).ok()?;
    // A certificate from before 1970 has been valid since then, as far as anybody cares.
    Some((at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(), rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(years: std::ops::Range<i32>) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.start, 2, 28);
        params.not_after = date_time_ymd(years.end, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn the_ends_of_a_certificate_are_read_in_both_forms_of_time() {
        let seconds = |text| at(text).duration_since(UNIX_EPOCH).unwrap().as_secs();
        let expected =
            Validity { from: seconds("1999-02-28T00:00:00Z"), until: seconds("2049-03-01T00:00:00Z") };
        assert_eq!(Validity::of(&certificate(1999..2049)), Some(expected));
        // From 2050 on with four digits of the year.
        let until = seconds("2120-03-01T00:00:00Z");
        assert_eq!(Validity::of(&certificate(2020..2120)).unwrap().until, until);
    }

    #[test]
    fn what_is_no_certificate_has_no_ends() {
        let whole = certificate(2020..2120);
        for end in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..end]), None, "cut at {end}");
        }
        for place in 0..whole.len().min(200) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x80;
            let _ = Validity::of(&damaged);
        }
    }

    #[test]
    fn a_certificate_is_warned_of_before_its_end_and_out_of_its_time() {
        let validity = Validity::of(&certificate(2020..2030)).unwrap();
        let said = |when| validity.warning(at(when)).unwrap_or_default();
        assert!(said("2019-01-01T00:00:00Z").contains("not valid before 2020-02-28T00:00:00Z"));
        assert_eq!(said("2029-01-01T00:00:00Z"), "");
        assert!(said("2030-02-20T00:00:00Z").contains("expires at 2030-03-01"));
        assert!(said("2031-01-01T00:00:00Z").contains("expired at 2030-03-01T00:00:00Z"));
    }
}
