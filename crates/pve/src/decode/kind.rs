//! The kinds of value a field may be documented as, and what may stand for each on the wire.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::split::{Elements, Members, unquoted};
use super::{Cx, Reply};
use crate::secret::Secret;
use crate::upid::Upid;

/// What a field is documented as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// true/false, 0/1, "0"/"1", or "" for no.
    Bool,
    /// A whole number, or the decimal text of one, exponents included.
    Int,
    /// A whole number that is not negative, or its decimal text.
    UInt,
    /// A number, or its decimal text.
    Float,
    /// Text, which may be empty.
    Text,
    /// Text, a number or a boolean, kept as text.
    Scalar,
    /// Text that is never shown.
    Secret,
    /// Text with separators (`;`, `,`, white space), or a list of texts.
    List,
    /// A list of numbers.
    Floats,
    /// A task id.
    Upid,
    /// `lxc` or `qemu`.
    GuestKind,
    /// Any JSON at all.
    Any,
    /// An object of the named reply type.
    Object(&'static str),
    /// A list of objects of the named reply type.
    Objects(&'static str),
    /// An object of objects of booleans: path, then privilege.
    Privileges,
    /// A list of pairs of texts.
    Pairs,
    /// A list of interfaces, or an object that says why there is none.
    AgentResult,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::UInt => "an integer from 0 up",
            Self::Float => "a number",
            Self::Text => "text",
            Self::Scalar => "text, a number or a boolean",
            Self::Secret => "secret text",
            Self::List => "a list of texts",
            Self::Floats => "a list of numbers",
            Self::Upid => "a task id",
            Self::GuestKind => "`lxc` or `qemu`",
            Self::Any => "any value",
            Self::Object(name) => return write!(f, "an object ({name})"),
            Self::Objects(name) => return write!(f, "a list of objects ({name})"),
            Self::Privileges => "an object of privileges",
            Self::Pairs => "a list of pairs",
            Self::AgentResult => "a list of interfaces or an error object",
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a value is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number without fraction or exponent.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Object,
}

impl JsonKind {
    /// The kind of a value, told from its raw text.
    pub fn of(raw: &str) -> Self {
        match raw.trim_start().as_bytes().first() {
            Some(b'"') => Self::Text,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') | None => Self::Null,
            Some(_) if raw.contains(['.', 'e', 'E']) => Self::Float,
            Some(_) => Self::Integer,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// A value does not fit its documented kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfit {
    /// More than "expected this, found that", where there is more to say.
    pub why: Option<String>,
}

/// A type that a documented kind of value is decoded into.
///
/// `null` never gets here: it means absent, whatever the kind.
pub trait Decode: Sized {
    /// The documented kind.
    const KIND: Kind;
    /// Whether samples of such a value must not be shown.
    const SECRET: bool = false;

    /// Reads the raw JSON text of one value. Departures inside it are noted through `cx`.
    fn decode(raw: &str, cx: &mut Cx<'_>) -> Result<Self, Unfit>;
}

impl Decode for bool {
    const KIND: Kind = Kind::Bool;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        match raw {
            "1" | "\"1\"" | "true" => Ok(true),
            "0" | "\"0\"" | "false" | "\"\"" => Ok(false),
            // 1.0 and 1e0 are numbers like any other; text is only what stands above.
            _ => match Some(raw).filter(|raw| !raw.starts_with('"')).and_then(whole) {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(Unfit::default()),
            },
        }
    }
}

macro_rules! integers {
    ($($int:ty => $kind:ident),*) => {$(
        impl Decode for $int {
            const KIND: Kind = Kind::$kind;

            fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
                if let Some(Ok(plain)) = raw.as_bytes().first().filter(|b| b.is_ascii_digit()).map(|_| raw.parse()) {
                    return Ok(plain);
                }
                whole(raw).and_then(|n| n.try_into().ok()).ok_or_else(Unfit::default)
            }
        }
    )*};
}

integers!(i64 => Int, u64 => UInt, u32 => UInt);

impl Decode for f64 {
    const KIND: Kind = Kind::Float;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        let number = decimal(raw).and_then(|text| text.parse::<f64>().ok());
        number.filter(|n| n.is_finite()).ok_or_else(Unfit::default)
    }
}

impl Decode for String {
    const KIND: Kind = Kind::Text;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        unquoted(raw).map(|text| text.into_owned()).ok_or_else(Unfit::default)
    }
}

impl Decode for Secret {
    const KIND: Kind = Kind::Secret;
    const SECRET: bool = true;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        unquoted(raw).map(|text| Self::new(text.into_owned())).ok_or_else(Unfit::default)
    }
}

impl Decode for Upid {
    const KIND: Kind = Kind::Upid;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        let text = unquoted(raw).ok_or_else(Unfit::default)?;
        text.parse().map_err(|e: crate::upid::UpidError| Unfit { why: Some(e.to_string()) })
    }
}

/// Text, a number or a boolean as its text: for values whose JSON type says nothing, such as those of a
/// configuration, where 4 and "4" mean the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Scalar(pub String);

impl Scalar {
    /// The text; a boolean's is `1` or `0`, as in Proxmox's own files.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Decode for Scalar {
    const KIND: Kind = Kind::Scalar;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        match JsonKind::of(raw) {
            JsonKind::Text => unquoted(raw).map(|t| Self(t.into_owned())).ok_or_else(Unfit::default),
            JsonKind::Boolean => Ok(Self(if raw == "true" { "1" } else { "0" }.to_owned())),
            JsonKind::Integer | JsonKind::Float => Ok(Self(raw.to_owned())),
            JsonKind::Null | JsonKind::List | JsonKind::Object => Err(Unfit::default()),
        }
    }
}

impl Decode for Vec<String> {
    const KIND: Kind = Kind::List;

    fn decode(raw: &str, cx: &mut Cx<'_>) -> Result<Self, Unfit> {
        if let Some(elements) = Elements::of(raw) {
            return Ok(elements.filter_map(|e| cx.element(Kind::Text, e, String::decode)).collect());
        }
        let text = unquoted(raw).ok_or_else(Unfit::default)?;
        Ok(separated(&text).map(str::to_owned).collect())
    }
}

/// The parts of a list written as text. Proxmox itself takes any of these separators for any list.
pub(crate) fn separated(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| matches!(c, ';' | ',' | '\0') || c.is_ascii_whitespace())
        .filter(|part| !part.is_empty())
}

/// A list of numbers in which what is no number is `None` in its place, so that no other number moves.
impl Decode for Vec<Option<f64>> {
    const KIND: Kind = Kind::Floats;

    fn decode(raw: &str, cx: &mut Cx<'_>) -> Result<Self, Unfit> {
        let elements = Elements::of(raw).ok_or_else(Unfit::default)?;
        Ok(elements.map(|e| cx.element(Kind::Float, e, f64::decode)).collect())
    }
}

impl Decode for Value {
    const KIND: Kind = Kind::Any;

    fn decode(raw: &str, _: &mut Cx<'_>) -> Result<Self, Unfit> {
        serde_json::from_str(raw).map_err(|e| Unfit { why: Some(e.to_string()) })
    }
}

impl<T: Reply> Decode for Vec<T> {
    const KIND: Kind = Kind::Objects(T::NAME);
    const SECRET: bool = T::SECRET;

    fn decode(raw: &str, cx: &mut Cx<'_>) -> Result<Self, Unfit> {
        let elements = Elements::of(raw).ok_or_else(Unfit::default)?;
        Ok(cx.rows(elements).0)
    }
}

/// Reads an object of a declared reply type.
pub(crate) fn object<T: Reply>(raw: &str, cx: &mut Cx<'_>) -> Result<T, Unfit> {
    let members = Members::of(raw).ok_or_else(Unfit::default)?;
    T::from_members(members, cx).map_err(|why| Unfit { why: Some(why) })
}

/// The decimal text of a number, or of text that is one.
fn decimal(raw: &str) -> Option<&str> {
    if let Some(inner) = raw.strip_prefix('"') {
        let inner = inner.strip_suffix('"')?;
        return is_decimal(inner.as_bytes()).then_some(inner);
    }
    matches!(raw.as_bytes().first(), Some(b'-' | b'0'..=b'9')).then_some(raw)
}

/// `-?digits[.digits][e[+-]digits]`, which unlike Rust's own parser knows no `inf`, `nan`, `+1` or `1.`.
fn is_decimal(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let n = text.iter().take_while(|b| b.is_ascii_digit()).count();
        text.get(n..).filter(|_| n > 0)
    }
    let after = |text: &[u8]| -> Option<bool> {
        let mut rest = digits(text.strip_prefix(b"-").unwrap_or(text))?;
        if let Some(fraction) = rest.strip_prefix(b".") {
            rest = digits(fraction)?;
        }
        if let [b'e' | b'E', exponent @ ..] = rest {
            let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
            rest = digits(exponent)?;
        }
        Some(rest.is_empty())
    };
    after(text).unwrap_or(false)
}

/// The exact whole number that a number or numeric text stands for; `None` if it has a fraction or does not
/// fit. Worked out on the digits, since a float on the way would change numbers above 2^53.
fn whole(raw: &str) -> Option<i128> {
    let text = decimal(raw)?;
    if let Ok(plain) = text.parse::<i64>() {
        return Some(plain.into());
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let scale = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(zeros)?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let power = 10i128.checked_pow(u32::try_from(scale).ok()?)?;
    let value = significant.parse::<i128>().ok()?.checked_mul(power)?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (raw, expected) in [
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("\"7\"", Some(7)),
            ("\"007\"", Some(7)),
            ("7.0", Some(7)),
            ("7.5", None),
            ("75e-1", None),
            ("70e-1", Some(7)),
            ("0.7e1", Some(7)),
            ("\"7e3\"", Some(7000)),
            ("7E+2", Some(700)),
            ("0.0", Some(0)),
            ("-0", Some(0)),
            ("0e999999", Some(0)),
            ("1e18", Some(1_000_000_000_000_000_000)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("1e999", None),
            ("1e99999999999999999999", None),
            ("\"\"", None),
            ("\"+7\"", None),
            ("\" 7\"", None),
            ("\"0x7\"", None),
            ("\"seven\"", None),
            ("true", None),
            ("[7]", None),
        ] {
            assert_eq!(whole(raw), expected, "{raw}");
        }
    }

    #[test]
    fn numeric_text_is_a_plain_decimal() {
        for good in ["0", "-1", "1.5", "1e5", "1.5E-5", "00"] {
            assert!(is_decimal(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "+1", ".5", "1.", "1e", "1e+", "inf", "nan", "1 ", "1,5", "0x1", "--1"] {
            assert!(!is_decimal(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn lists_split_at_every_separator_proxmox_knows() {
        assert_eq!(
            separated("one, two;three  four\tfive,,;").collect::<Vec<_>>(),
            ["one", "two", "three", "four", "five"]
        );
        assert_eq!(separated("").count(), 0);
    }

    proptest! {
        #[test]
        fn a_whole_number_survives_any_spelling(n in any::<i64>(), zeros in 0usize..4) {
            let padded = format!("{n}{}", "0".repeat(zeros));
            for raw in [n.to_string(), format!("\"{n}\""), format!("{n}.0"), format!("{padded}e-{zeros}")] {
                prop_assert_eq!(whole(&raw), Some(n.into()), "{}", raw);
            }
        }

        #[test]
        fn numeric_text_parses_wherever_it_is_said_to(text in "[-+.eE0-9]{0,12}") {
            if is_decimal(text.as_bytes()) {
                prop_assert!(text.parse::<f64>().is_ok());
            }
        }
    }
}
