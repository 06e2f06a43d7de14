//! The little that is read of a certificate that stands verified already: until when it holds, and whose it is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use chrono::NaiveDateTime;
use http::Extensions;

use crate::signals::telemetry::Nanos;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BMP_STRING: u8 = 0x1e;
const UTC_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
/// The fields of a certificate that have a number instead of a place.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Whose a certificate is, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The last moment at which it holds.
    pub not_after: Nanos,
    /// The subject as RFC 4514 writes it, in the order in which it stands: `O=Acme,CN=worker-7`.
    pub subject: String,
    /// DNS names, e-mail addresses, URIs and IP addresses of its subjectAltName.
    pub names: Vec<String>,
}

impl Certificate {
    /// Reads DER; none where it is no certificate.
    pub fn read(der: &[u8]) -> Option<Certificate> {
        let mut fields = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
        fields.skip(VERSION);
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let _issuer = fields.take(SEQUENCE)?;
        let mut validity = Der(fields.take(SEQUENCE)?);
        let _not_before = validity.next()?;
        let not_after = time(validity.next()?)?;
        let subject = subject(fields.take(SEQUENCE)?)?;
        let mut names = Vec::new();
        while let Some((tag, value)) = fields.next() {
            if tag == EXTENSIONS {
                names = alternatives(value)?;
            }
        }
        Some(Certificate { not_after, subject, names })
    }

    /// The certificate with which the client of a request showed who it is, verified against `client_ca`.
    pub fn of_client(extensions: &Extensions) -> Option<&Arc<Certificate>> {
        extensions.get()
    }
}

/// Values of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, value))
    }

    /// The next value, which must be one of `tag`.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// Passes the next value over if it is one of `tag`.
    fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            self.next();
        }
    }
}

fn time((tag, value): (u8, &[u8])) -> Option<Nanos> {
    let text = std::str::from_utf8(value).ok()?;
    let text = match tag {
        LONG_TIME => text.to_owned(),
        // Years of two digits are of 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        _ => return None,
    };
    let at = NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?.and_utc();
    // "No well-defined expiration" is the end of the year 9999, which nanoseconds do not reach.
    Some(at.timestamp_nanos_opt().unwrap_or(Nanos::MAX))
}

fn subject(value: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = Der(value);
    while !sets.0.is_empty() {
        let mut set = Der(sets.take(SET)?);
        while !set.0.is_empty() {
            let mut pair = Der(set.take(SEQUENCE)?);
            let name = attribute(pair.take(OBJECT)?);
            parts.push(format!("{name}={}", escaped(&text(pair.next()?))));
        }
    }
    Some(parts.join(","))
}

fn attribute(object: &[u8]) -> String {
    let name = match object {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        _ => return object.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    name.to_owned()
}

fn text((tag, value): (u8, &[u8])) -> String {
    if tag == BMP_STRING {
        let units =
            value.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
        return String::from_utf16_lossy(&units.collect::<Vec<_>>());
    }
    String::from_utf8_lossy(value).into_owned()
}

/// So that a value with a comma in it does not read like two attributes.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if letter.is_control() {
            letter.to_string().bytes().for_each(|byte| out.push_str(&format!("\\{byte:02x}")));
            continue;
        }
        if matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' | '#') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn alternatives(extensions: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut extensions = Der(Der(extensions).take(SEQUENCE)?);
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.take(SEQUENCE)?);
        if extension.take(OBJECT)? != SUBJECT_ALT_NAME {
            continue;
        }
        // It may be marked as critical before its value.
        let value = std::iter::from_fn(|| extension.next()).find(|(tag, _)| *tag == OCTETS)?.1;
        let mut all = Der(Der(value).take(SEQUENCE)?);
        while let Some((tag, name)) = all.next() {
            match tag {
                // An e-mail address, a DNS name, a URI.
                0x81 | 0x82 | 0x86 => names.push(String::from_utf8_lossy(name).into_owned()),
                0x87 => names.extend(address(name)),
                _ => {}
            }
        }
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).to_string());
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string());
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn it_says_whose_it_is_and_until_when() {
        let der = made(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc");
            params.distinguished_name.push(DnType::CommonName, "worker-7\n=");
            params.not_after = date_time_ymd(2031, 2, 3);
            params.subject_alt_names = vec![
                SanType::DnsName("worker-7.internal".try_into().unwrap()),
                SanType::URI("spiffe://acme/worker-7".try_into().unwrap()),
                SanType::IpAddress("10.1.2.3".parse().unwrap()),
                SanType::IpAddress("fd00::7".parse().unwrap()),
            ];
        });
        let read = Certificate::read(&der).unwrap();
        assert_eq!(read.subject, "O=Acme\\, Inc,CN=worker-7\\0a\\=");
        assert_eq!(read.names, ["worker-7.internal", "spiffe://acme/worker-7", "10.1.2.3", "fd00::7"]);
        let end = chrono::DateTime::from_timestamp_nanos(read.not_after);
        assert_eq!(end.to_rfc3339(), "2031-02-03T00:00:00+00:00");
    }

    #[test]
    fn both_kinds_of_years_are_read_and_one_beyond_nanoseconds() {
        let year = |year| {
            let read =
                Certificate::read(&made(|params| params.not_after = date_time_ymd(year, 1, 1))).unwrap();
            read.not_after
        };
        assert!(year(2049) < year(2050) && year(2050) < year(2100));
        assert_eq!(year(9999), Nanos::MAX);
        assert_eq!(Certificate::read(&made(|_| {})).unwrap().names, Vec::<String>::new());
    }

    #[test]
    fn what_is_cut_or_changed_is_read_or_not_and_nothing_worse() {
        let whole = made(|params| {
            params.distinguished_name.push(DnType::CommonName, "x");
            params.subject_alt_names = vec![SanType::DnsName("x.example".try_into().unwrap())];
        });
        for cut in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..cut]), None, "cut at {cut}");
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0x85, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Certificate::read(&changed);
            }
        }
    }
}
