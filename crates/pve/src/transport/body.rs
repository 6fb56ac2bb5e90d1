//! Decompression within bounds: [`decompress`].

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Why a body could not be unpacked.
#[derive(Debug)]
pub(crate) enum Unpack {
    /// It is larger than the bound.
    TooLarge,
    /// It is not what its header says.
    Broken(String),
}

/// The body as it was before compression, at most `limit` bytes of it.
pub(crate) fn decompress(headers: &HeaderMap, body: Bytes, limit: u64) -> Result<Bytes, Unpack> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    match encoding.as_deref() {
        // An empty body is empty under every encoding.
        _ if body.is_empty() => Ok(body),
        None | Some(b"" | b"identity") => Ok(body),
        Some(b"gzip" | b"x-gzip") => unpack(GzDecoder::new(body.as_ref()), limit),
        Some(b"deflate") => unpack(ZlibDecoder::new(body.as_ref()), limit),
        Some(other) => {
            let name = String::from_utf8_lossy(other).into_owned();
            Err(Unpack::Broken(format!("it is compressed as {name}, which was not asked for")))
        }
    }
}

fn unpack(decoder: impl Read, limit: u64) -> Result<Bytes, Unpack> {
    let mut plain = Vec::new();
    let read = decoder.take(limit.saturating_add(1)).read_to_end(&mut plain);
    if u64::try_from(plain.len()).unwrap_or(u64::MAX) > limit {
        return Err(Unpack::TooLarge);
    }
    read.map_err(|error: io::Error| Unpack::Broken(format!("its compressed body is broken: {error}")))?;
    Ok(Bytes::from(plain))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        Bytes::from(encoder.finish().unwrap())
    }

    fn encoded(name: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, name.parse().unwrap())])
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(decompress(&encoded("gzip"), bomb.clone(), 4096), Err(Unpack::TooLarge)));
        assert_eq!(decompress(&encoded("GZIP"), bomb, 10_000_000).unwrap().len(), 10_000_000);
    }

    #[test]
    fn what_is_not_compressed_as_said_is_broken() {
        let cut = gzip(b"{\"data\":null}").slice(..14);
        assert!(matches!(decompress(&encoded("gzip"), cut, 4096), Err(Unpack::Broken(_))));
        let plain = Bytes::from_static(b"{}");
        assert!(matches!(decompress(&encoded("br"), plain.clone(), 4096), Err(Unpack::Broken(_))));
        assert_eq!(decompress(&HeaderMap::new(), plain.clone(), 1).unwrap(), plain);
    }
}
