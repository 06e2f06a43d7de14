//! Compression, as clients do it.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("memory takes bytes")
}

/// What HTTP calls deflate.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("memory takes bytes")
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).expect("memory takes bytes")
}

/// In every encoding that a door reads: (its name, the bytes).
pub fn all(bytes: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [("identity", bytes.to_vec()), ("gzip", gzip(bytes)), ("deflate", zlib(bytes)), ("zstd", zstd(bytes))]
}
