//! Figures with units: `80%`, `4G`, `1h30m`.

use super::keys::Kind;

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// A share, 0..1 (of processors it may be more than 1).
    Share(f64),
    /// A figure in the key's own unit: bytes, seconds, or just a number.
    Figure(f64),
}

const KIB: f64 = 1024.0;

/// Reads a figure of a key of this kind; the error says what is wanted instead.
pub(super) fn parse(text: &str, kind: Kind) -> Result<Quantity, &'static str> {
    match kind {
        Kind::Number => whole(text).map(Quantity::Figure).ok_or("a whole number is wanted here, as in 101"),
        Kind::Share => share(text).map(Quantity::Share).ok_or("a share is wanted here, as in 80%"),
        Kind::Bytes => share(text)
            .map(Quantity::Share)
            .or_else(|| bytes(text).map(Quantity::Figure))
            .ok_or("bytes with a unit (K, M, G, T) are wanted here, as in 4G, or a share, as in 80%"),
        Kind::Span => span(text)
            .map(Quantity::Figure)
            .ok_or("a span with a unit (s, m, h, d, w) is wanted here, as in 5m or 1h30m"),
        Kind::Text | Kind::Word | Kind::Address | Kind::Flag => Err("this cannot be compared"),
    }
}

fn whole(text: &str) -> Option<f64> {
    text.parse::<u32>().ok().map(f64::from)
}

/// A plain figure: digits, perhaps with a fraction. What Rust takes beyond that (`inf`, `1e9`) nobody means.
fn figure(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let digit = text.bytes().any(|byte| byte.is_ascii_digit());
    (plain && digit).then(|| text.parse().ok()).flatten().filter(|figure: &f64| figure.is_finite())
}

fn share(text: &str) -> Option<f64> {
    text.strip_suffix('%').and_then(figure).map(|percent| percent / 100.0)
}

fn bytes(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let number = figure(digits)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "b" => 1.0,
        "k" | "kb" | "kib" => KIB,
        "m" | "mb" | "mib" => KIB * KIB,
        "g" | "gb" | "gib" => KIB * KIB * KIB,
        "t" | "tb" | "tib" => KIB * KIB * KIB * KIB,
        "p" | "pb" | "pib" => KIB * KIB * KIB * KIB * KIB,
        // Nothing is nothing in every unit.
        "" if number == 0.0 => 1.0,
        _ => return None,
    };
    Some(number * factor)
}

fn span(text: &str) -> Option<f64> {
    if figure(text) == Some(0.0) {
        return Some(0.0);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let number = figure(rest.get(..digits)?)?;
        rest = rest.get(digits..)?;
        let unit = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        seconds += number
            * match rest.get(..unit)?.to_ascii_lowercase().as_str() {
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" | "day" | "days" => 86_400.0,
                "w" => 604_800.0,
                _ => return None,
            };
        rest = rest.get(unit..)?;
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        use Quantity::{Figure, Share};
        for (text, kind, want) in [
            ("80%", Kind::Share, Some(Share(0.8))),
            ("12.5%", Kind::Share, Some(Share(0.125))),
            ("80", Kind::Share, None),
            ("4G", Kind::Bytes, Some(Figure(4_294_967_296.0))),
            ("1.5GiB", Kind::Bytes, Some(Figure(1_610_612_736.0))),
            ("512mb", Kind::Bytes, Some(Figure(536_870_912.0))),
            ("90%", Kind::Bytes, Some(Share(0.9))),
            ("0", Kind::Bytes, Some(Figure(0.0))),
            ("4", Kind::Bytes, None),
            ("4X", Kind::Bytes, None),
            ("5m", Kind::Span, Some(Figure(300.0))),
            ("1h30m", Kind::Span, Some(Figure(5400.0))),
            ("2w", Kind::Span, Some(Figure(1_209_600.0))),
            ("90min", Kind::Span, Some(Figure(5400.0))),
            ("5", Kind::Span, None),
            ("h", Kind::Span, None),
            ("", Kind::Span, None),
            ("5m3", Kind::Span, None),
            ("101", Kind::Number, Some(Figure(101.0))),
            ("-1", Kind::Number, None),
            ("1e3", Kind::Bytes, None),
            ("inf%", Kind::Share, None),
            (".%", Kind::Share, None),
        ] {
            assert_eq!(parse(text, kind).ok(), want, "{text} as {kind:?}");
        }
    }
}
