//! [`reply!`] and [`tagged!`]: a reply type is declared once, and everything about it comes from there.

use super::{Cx, Decode, JsonKind, Kind};
use crate::drift::shortened;
use crate::secret::REDACTED;

/// What is known about one declared field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct FieldFact {
    /// The field's name in the Rust type.
    pub name: &'static str,
    /// The field's name on the wire.
    pub wire: &'static str,
    /// What it is documented as.
    pub kind: Kind,
    /// The first Proxmox VE release (major, minor) known to send it, where that is not every one.
    pub since: Option<(u16, u16)>,
    /// Whether the object cannot be read without it.
    pub key: bool,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// What it means.
    pub about: &'static str,
}

pub(super) const fn any_secret(fields: &[FieldFact]) -> bool {
    let mut rest = fields;
    while let [first, more @ ..] = rest {
        if first.secret {
            return true;
        }
        rest = more;
    }
    false
}

/// How the type of a struct's field says what the field is: `Option<T>` may be absent, a bare `T` is a key.
pub trait Field: Sized {
    /// The documented kind.
    const KIND: Kind;
    /// Whether the object cannot be read without it.
    const KEY: bool;
    /// Whether its value must not be shown.
    const SECRET: bool;
    /// What is known of the field while the object is being read.
    type Slot: Default;

    /// Reads the raw text of the field's value.
    fn read(name: &'static str, raw: &str, cx: &mut Cx<'_>) -> Self::Slot;

    /// The field's final value, or why the object cannot be read.
    fn settle(name: &'static str, slot: Self::Slot) -> Result<Self, String>;
}

impl<T: Decode> Field for Option<T> {
    const KIND: Kind = T::KIND;
    const KEY: bool = false;
    const SECRET: bool = T::SECRET;
    type Slot = Option<T>;

    fn read(name: &'static str, raw: &str, cx: &mut Cx<'_>) -> Self::Slot {
        cx.field(name, raw)
    }

    fn settle(_: &'static str, slot: Self::Slot) -> Result<Self, String> {
        Ok(slot)
    }
}

/// A key field while its object is being read.
#[derive(Debug, Default)]
pub enum Slot<T> {
    /// Not seen, or null.
    #[default]
    Missing,
    /// Seen, and not what it should be.
    Unfit(String),
    /// Read.
    Read(T),
}

impl<T: Decode> Field for T {
    const KIND: Kind = T::KIND;
    const KEY: bool = true;
    const SECRET: bool = T::SECRET;
    type Slot = Slot<T>;

    fn read(_: &'static str, raw: &str, cx: &mut Cx<'_>) -> Self::Slot {
        if raw == "null" {
            return Slot::Missing;
        }
        match T::decode(raw, cx) {
            Ok(read) => Slot::Read(read),
            Err(_) => {
                let shown = if T::SECRET { REDACTED.to_owned() } else { shortened(raw) };
                Slot::Unfit(format!("expected {}, found {} `{shown}`", T::KIND, JsonKind::of(raw)))
            }
        }
    }

    fn settle(name: &'static str, slot: Self::Slot) -> Result<Self, String> {
        match slot {
            Slot::Read(read) => Ok(read),
            Slot::Missing => Err(format!("`{name}` is missing")),
            Slot::Unfit(why) => Err(format!("`{name}`: {why}")),
        }
    }
}

/// Declares reply types.
///
/// Each field gives its Rust name, its type, its name on the wire and, after `since`, the first release that
/// sends it where that is not every one. `Option<T>` may be absent; a bare type is a key, without which the
/// object cannot be read. From this come the struct, [`Reply`](super::Reply), [`Decode`], `Serialize` under the
/// wire names, and the facts.
macro_rules! reply {
    ($(
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                pub $field:ident: $ty:ty = $wire:literal $(since ($major:literal, $minor:literal))?,
            )*
        }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                pub $field: $ty,
            )*
        }

        impl $crate::decode::Reply for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::decode::FieldFact] = &[$(
                $crate::decode::FieldFact {
                    name: stringify!($field),
                    wire: $wire,
                    kind: <$ty as $crate::decode::Field>::KIND,
                    since: $crate::decode::reply!(@since $($major, $minor)?),
                    key: <$ty as $crate::decode::Field>::KEY,
                    secret: <$ty as $crate::decode::Field>::SECRET,
                    about: concat!($($doc),*),
                },
            )*];

            fn from_members(
                members: $crate::decode::Members<'_>,
                cx: &mut $crate::decode::Cx<'_>,
            ) -> Result<Self, String> {
                $(let mut $field = <<$ty as $crate::decode::Field>::Slot as Default>::default();)*
                for (key, raw) in members {
                    match key.as_ref() {
                        $($wire => $field = <$ty as $crate::decode::Field>::read($wire, raw, cx),)*
                        // A field that nobody declared is no drift: every release adds some.
                        _ => {}
                    }
                }
                Ok(Self { $($field: <$ty as $crate::decode::Field>::settle($wire, $field)?,)* })
            }
        }

        impl $crate::decode::Decode for $name {
            const KIND: $crate::decode::Kind = $crate::decode::Kind::Object(stringify!($name));
            const SECRET: bool = <Self as $crate::decode::Reply>::SECRET;

            fn decode(
                raw: &str,
                cx: &mut $crate::decode::Cx<'_>,
            ) -> Result<Self, $crate::decode::Unfit> {
                $crate::decode::object_value(raw, cx)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($wire, &self.$field)?;)*
                map.end()
            }
        }
    )*};
    (@since) => { None };
    (@since $major:literal, $minor:literal) => { Some(($major, $minor)) };
}

/// Declares rows of several types in one list, told apart by a field.
///
/// A type that is not listed keeps the row as it came, in the last variant.
macro_rules! tagged {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident by $tag:literal {
            $(
                $(#[doc = $doc:literal])*
                $variant:ident($row:ty) = $($text:literal)|+,
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum $name {
            $(
                $(#[doc = $doc])*
                $variant($row),
            )*
            /// A row of a type that is not known here, as it came.
            Other($crate::reply::OtherRow),
        }

        impl $crate::decode::Reply for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::decode::FieldFact] = &[$crate::decode::FieldFact {
                name: "kind",
                wire: $tag,
                kind: $crate::decode::Kind::Text,
                since: None,
                key: true,
                secret: false,
                about: " What the row is about.",
            }];
            const SECRET: bool = false $(|| <$row as $crate::decode::Reply>::SECRET)*;

            fn from_members(
                members: $crate::decode::Members<'_>,
                cx: &mut $crate::decode::Cx<'_>,
            ) -> Result<Self, String> {
                use $crate::decode::Field as _;
                let mut tag = $crate::decode::Slot::default();
                for (key, raw) in members.clone() {
                    if key == $tag {
                        tag = String::read($tag, raw, cx);
                    }
                }
                let tag = String::settle($tag, tag)?;
                Ok(match tag.as_str() {
                    $($($text)|+ => Self::$variant(<$row>::from_members(members, cx)?),)*
                    _ => Self::Other($crate::reply::OtherRow::new(tag, members)),
                })
            }
        }
    };
}

pub(crate) use {reply, tagged};
