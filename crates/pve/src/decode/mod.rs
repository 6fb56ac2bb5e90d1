//! Lenient decoding: [`object`], [`list`] and [`value`] turn the `data` of a reply into declared types.
//!
//! A field that does not fit is absent and noted as drift; a row that cannot be read is counted and kept raw;
//! everything else of the reply is there. Only text that is no JSON, or no object where one is due, is an error.
//! What counts as fitting is said by [`Kind`]; the types themselves are in [`crate::reply`].

mod declare;
mod kind;
mod split;

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::value::RawValue;

pub use declare::{Field, FieldFact, Slot};
pub(crate) use declare::{reply, tagged};
pub(crate) use kind::object as object_value;
pub use kind::{Decode, JsonKind, Kind, Scalar, Unfit};
pub use split::Members;
pub(crate) use split::{Elements, unquoted};

use crate::drift::{Drift, Unreadable, shortened};
use crate::secret::REDACTED;

/// A reply type: an object on the wire whose fields are declared once.
pub trait Reply: Sized {
    /// The type's name.
    const NAME: &'static str;
    /// Every declared field, in order.
    const FIELDS: &'static [FieldFact];
    /// Whether any field is secret, so that raw text of this type must not be shown.
    const SECRET: bool = declare::any_secret(Self::FIELDS);

    /// Reads the members of the object. An error says why it cannot be read at all: a key field is missing or
    /// does not fit.
    fn from_members(members: Members<'_>, cx: &mut Cx<'_>) -> Result<Self, String>;
}

/// A decoded list: every row that could be read, and those that could not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rows<T> {
    /// The rows that could be read, in wire order.
    pub rows: Vec<T>,
    /// The rows that could not, raw.
    pub unreadable: Vec<Unreadable>,
    /// How many rows there are beyond this page, where the reply said so. Decoding sees only `data`; whoever
    /// unwraps the envelope fills this in.
    pub total: Option<u64>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), unreadable: Vec::new(), total: None }
    }
}

/// A reply that could not be decoded as a whole. This is about our reading of it, never about the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotUnderstood {
    /// What was expected and what came instead; never holds a secret.
    pub what: String,
    /// Where in the text, for text that is not well-formed.
    pub place: Option<Place>,
}

/// A place in a text, counted from 1 (a column of 0 is the line's beginning).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in bytes.
    pub column: usize,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { line, column }) => write!(f, "{} at line {line} column {column}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl From<serde_json::Error> for NotUnderstood {
    /// Takes over what `serde_json` says about text that is not well-formed; its words never quote the text.
    fn from(error: serde_json::Error) -> Self {
        let said = error.to_string();
        let reason = said.split(" at line ").next().unwrap_or(&said);
        Self {
            what: format!("the reply is not well-formed JSON: {reason}"),
            place: Some(Place { line: error.line(), column: error.column() }),
        }
    }
}

/// Checks that bytes are well-formed JSON and nothing else, without building anything from them.
pub fn check(bytes: &[u8]) -> Result<&RawValue, NotUnderstood> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(NotUnderstood { what: "the reply is empty".to_owned(), place: None });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        NotUnderstood {
            what: "the reply is not valid UTF-8".to_owned(),
            place: Some(Place {
                line: 1 + before.iter().filter(|b| **b == b'\n').count(),
                column: 1 + before.len() - line_start,
            }),
        }
    })?;
    Ok(serde_json::from_str(text)?)
}

/// The bytes of an answer as text that can be decoded field by field.
///
/// A byte that is no UTF-8 becomes the escape of a half surrogate pair, `\udc80` to `\udcff`. Inside of a text it
/// spoils that one text, and the sample of the drift still shows which byte it was; anywhere else it is no JSON, as
/// it was before.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len() + 64);
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                for byte in chunk.invalid() {
                    // Writing to a string does not fail.
                    let _ = write!(text, "\\udc{byte:02x}");
                }
            }
            Cow::Owned(text)
        }
    }
}

/// Decodes `data` where one object is due.
///
/// # Errors
/// If it is no object, or a key field of it is missing or does not fit.
pub fn object<T: Reply>(data: &RawValue, drift: &mut Drift) -> Result<T, NotUnderstood> {
    let raw = data.get().trim();
    object_value(raw, &mut Cx::new(drift))
        .map_err(|unfit| unexpected(Kind::Object(T::NAME), T::SECRET, raw, unfit))
}

/// Decodes `data` where a list is due. `null` is an empty list.
///
/// # Errors
/// If it is no list.
pub fn list<T: Reply>(data: &RawValue, drift: &mut Drift) -> Result<Rows<T>, NotUnderstood> {
    let raw = data.get().trim();
    if raw == "null" {
        return Ok(Rows::default());
    }
    let elements = Elements::of(raw)
        .ok_or_else(|| unexpected(Kind::Objects(T::NAME), T::SECRET, raw, Unfit::default()))?;
    let (rows, unreadable) = Cx::new(drift).rows(elements);
    Ok(Rows { rows, unreadable, total: None })
}

/// Decodes `data` where a single value is due, such as a task id or the next free VMID. `null` is `None`.
///
/// # Errors
/// If it is of another kind.
pub fn value<T: Decode>(data: &RawValue, drift: &mut Drift) -> Result<Option<T>, NotUnderstood> {
    let raw = data.get().trim();
    if raw == "null" {
        return Ok(None);
    }
    T::decode(raw, &mut Cx::new(drift)).map(Some).map_err(|unfit| unexpected(T::KIND, T::SECRET, raw, unfit))
}

fn unexpected(kind: Kind, secret: bool, raw: &str, unfit: Unfit) -> NotUnderstood {
    let found = JsonKind::of(raw);
    let mut what = format!("expected {kind}, found {found}");
    match unfit.why {
        Some(why) => what = format!("{kind} could not be read: {why}"),
        None if found == JsonKind::Null => {}
        None if secret => what = format!("{what} `{REDACTED}`"),
        None => what = format!("{what} `{}`", shortened(raw)),
    }
    NotUnderstood { what, place: None }
}

/// Where decoding stands in a reply, and where it notes what does not fit.
pub struct Cx<'d> {
    drift: &'d mut Drift,
    path: Vec<Step>,
    row: Option<usize>,
}

/// One step from the reply's root towards a value.
#[derive(Clone, Copy)]
enum Step {
    /// Into a declared field.
    Field(&'static str),
    /// Into the elements of a list.
    Elements,
    /// Into the values of an object whose keys are not declared.
    AnyKey,
}

impl<'d> Cx<'d> {
    pub(crate) fn new(drift: &'d mut Drift) -> Self {
        Self { drift, path: Vec::new(), row: None }
    }

    /// Reads a declared field that may be absent; what does not fit is noted and absent.
    fn field<T: Decode>(&mut self, name: &'static str, raw: &str) -> Option<T> {
        if raw == "null" {
            return None;
        }
        self.path.push(Step::Field(name));
        let read = T::decode(raw, self);
        if read.is_err() {
            self.note(T::KIND, if T::SECRET { None } else { Some(raw) }, raw);
        }
        self.path.pop();
        read.ok()
    }

    /// Reads one element of a list of plain values; what does not fit is noted and `None`. `null` is absent.
    pub(crate) fn element<T>(
        &mut self,
        kind: Kind,
        raw: &str,
        decode: impl Fn(&str, &mut Self) -> Result<T, Unfit>,
    ) -> Option<T> {
        self.inside(Step::Elements, kind, raw, decode)
    }

    /// Reads one value of an object whose keys are not declared, like [`Self::element`].
    pub(crate) fn any_key<T>(
        &mut self,
        kind: Kind,
        raw: &str,
        decode: impl Fn(&str, &mut Self) -> Result<T, Unfit>,
    ) -> Option<T> {
        self.inside(Step::AnyKey, kind, raw, decode)
    }

    /// Reads the value of a key that is known without being a declared field of a struct.
    pub(crate) fn known_key<T>(
        &mut self,
        name: &'static str,
        kind: Kind,
        raw: &str,
        decode: impl Fn(&str, &mut Self) -> Result<T, Unfit>,
    ) -> Option<T> {
        self.inside(Step::Field(name), kind, raw, decode)
    }

    fn inside<T>(
        &mut self,
        step: Step,
        kind: Kind,
        raw: &str,
        decode: impl Fn(&str, &mut Self) -> Result<T, Unfit>,
    ) -> Option<T> {
        if raw == "null" {
            return None;
        }
        self.path.push(step);
        let read = decode(raw, self);
        if read.is_err() {
            self.note(kind, Some(raw), raw);
        }
        self.path.pop();
        read.ok()
    }

    /// Reads the rows of a list; those that cannot be read are noted and returned beside the others.
    fn rows<T: Reply>(&mut self, elements: Elements<'_>) -> (Vec<T>, Vec<Unreadable>) {
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        let outer = self.row;
        self.path.push(Step::Elements);
        for (at, raw) in elements.enumerate() {
            // A record names the row of the outermost list: that is the row a person can find.
            self.row = outer.or(Some(at));
            match object_value(raw, self) {
                Ok(row) => rows.push(row),
                Err(unfit) => {
                    let why = unfit
                        .why
                        .unwrap_or_else(|| format!("expected an object, found {}", JsonKind::of(raw)));
                    let shown = if T::SECRET { REDACTED } else { raw };
                    unreadable.push(self.drift.lose(self.path_text(), at, shown, why));
                }
            }
        }
        self.path.pop();
        self.row = outer;
        (rows, unreadable)
    }

    fn note(&mut self, expected: Kind, shown: Option<&str>, raw: &str) {
        let path = self.path_text();
        self.drift.note(path, expected, JsonKind::of(raw), shown.unwrap_or(REDACTED), self.row);
    }

    fn path_text(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Elements => text.push_str("[]"),
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::AnyKey if text.is_empty() => text.push('*'),
                Step::AnyKey => text.push_str(".*"),
            }
        }
        text
    }
}
