//! Which form of a file is sent (`Accept-Encoding`, RFC 9110 § 12.5.3), and whether it need be (`If-None-Match`).

use http::{HeaderMap, header};

/// How a file's bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    /// As `Content-Encoding` names it; `None` for bytes as they are.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    fn is_called(self, name: &str) -> bool {
        match self {
            Self::Brotli => name.eq_ignore_ascii_case("br"),
            Self::Gzip => name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip"),
            Self::Identity => name.eq_ignore_ascii_case("identity"),
        }
    }
}

/// Of what is offered, that which the caller likes best; of equals the first. `None` when they take nothing of it.
pub(super) fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let wishes: Vec<(&str, u16)> = elements(headers, header::ACCEPT_ENCODING).map(wish).collect();
    let weight = |coding: Coding| {
        let named = wishes.iter().find(|(name, _)| coding.is_called(name));
        let any = || wishes.iter().find(|(name, _)| *name == "*");
        match (named.or_else(any), coding) {
            (Some((_, weight)), _) => *weight,
            // Not named, it is taken all the same, but after everything that is.
            (None, Coding::Identity) => 1,
            (None, _) => 0,
        }
    };
    let mut best: Option<(Coding, u16)> = None;
    for &coding in offered {
        let weight = weight(coding);
        if weight > best.map_or(0, |(_, most)| most) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// A coding with its weight in thousandths, one thousandth at least where it is above 0. What cannot be read weighs
/// nothing.
fn wish(element: &str) -> (&str, u16) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let given = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    (name, given.map_or(Some(1000), thousandths).unwrap_or(0))
}

/// A weight as it is written: `0`, `0.5`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let weight = match whole {
        "0" => format!("{rest:0<3}").parse().ok()?,
        "1" if rest.bytes().all(|byte| byte == b'0') => 1000,
        _ => return None,
    };
    Some(weight)
}

/// Whether the caller has what carries that tag already. Weak tags count as what they name.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    elements(headers, header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// The elements of a header's lists. What is no text is none.
fn elements(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accepted: &[&str], offered: &[Coding]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(header::ACCEPT_ENCODING, value.parse().unwrap());
        }
        choose(&headers, offered)
    }

    #[test]
    fn the_form_is_the_one_liked_best() {
        use Coding::{Brotli, Gzip, Identity};
        let all = [Brotli, Gzip, Identity];
        for (accepted, form) in [
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("gzip", Some(Gzip)),
            ("GZIP", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("br;q=0.5, gzip;q=0.9", Some(Gzip)),
            ("br;q=0.5, gzip; Q=0.500", Some(Brotli)),
            ("br;q=0, gzip;q=0", Some(Identity)),
            ("identity", Some(Identity)),
            ("identity, br;q=0.1", Some(Identity)),
            ("gzip;q=0.001", Some(Gzip)),
            ("deflate", Some(Identity)),
            ("", Some(Identity)),
            ("*", Some(Brotli)),
            ("*;q=0.1, br;q=0", Some(Gzip)),
            ("identity;q=0", None),
            ("*;q=0", None),
            ("*;q=0, identity;q=0.1", Some(Identity)),
            ("br;q=nonsense", Some(Identity)),
            ("br;q=1.5", Some(Identity)),
            ("br;q=0.0001, gzip;q=0.2", Some(Gzip)),
        ] {
            assert_eq!(chosen(&[accepted], &all), form, "{accepted}");
        }
        assert_eq!(chosen(&[], &all), Some(Identity), "whoever says nothing gets it plain");
        assert_eq!(chosen(&["br;q=0", "gzip"], &all), Some(Gzip), "in two headers");
        assert_eq!(chosen(&["br, gzip"], &[Identity]), Some(Identity));
        assert_eq!(chosen(&["br, identity;q=0"], &[Identity]), None);
    }

    #[test]
    fn a_tag_is_known_by_any_of_those_sent() {
        let known = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, text.parse().unwrap());
            is_known(&headers, "\"ab-br\"")
        };
        for text in ["\"ab-br\"", "W/\"ab-br\"", "\"x\", \"ab-br\"", "*"] {
            assert!(known(text), "{text}");
        }
        for text in ["\"ab\"", "ab-br", "\"ab-gzip\"", ""] {
            assert!(!known(text), "{text}");
        }
    }
}
