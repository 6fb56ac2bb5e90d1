//! Calls as values: what to ask, how to encode it, how to read the answer. One module per area; the client runs
//! them with [`crate::Client::run`].
//!
//! A call is made from the path's template, as the published API descriptions write it, and the values of its
//! segments, each percent-encoded. Parameters that are absent are left out; booleans are `1` and `0`.

pub mod access;
pub mod cluster;
pub mod guest;
pub mod node;
pub mod storage;
pub mod task;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use catalogue::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::decode::{self, Decode, NotUnderstood, Reply, Rows};
use crate::drift::Drift;
use crate::envelope::Envelope;
use crate::upid::Upid;

/// What is percent-encoded in path segments, parameters and cookies: everything but the unreserved characters.
pub(crate) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How an answer's envelope becomes a value.
type Decoder<T> = Arc<dyn Fn(&Envelope<'_>, &mut Drift) -> Result<T, NotUnderstood> + Send + Sync>;

/// One call of the Proxmox VE API whose answer is a `T`.
pub struct Call<T> {
    pub(crate) method: Method,
    pub(crate) template: String,
    pub(crate) path: String,
    pub(crate) node: Option<String>,
    pub(crate) params: Vec<(&'static str, Zeroizing<String>)>,
    pub(crate) listing: bool,
    pub(crate) open: bool,
    pub(crate) invalid: Option<String>,
    pub(crate) decode: Decoder<T>,
}

/// Names of parameters only: values may be secret.
impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.params.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("params", &names)
            .finish_non_exhaustive()
    }
}

impl<T> Call<T> {
    /// A call of `method` on `template`, e.g. `/nodes/{node}/lxc/{vmid}/config`, with a value for each name in
    /// braces. A value that cannot stand in a path (empty, `.`, `..`) or a missing one makes the call invalid:
    /// it is refused when it is run, before anything is sent.
    pub fn new(
        method: Method,
        template: impl Into<String>,
        segments: &[(&str, &str)],
        decode: impl Fn(&Envelope<'_>, &mut Drift) -> Result<T, NotUnderstood> + Send + Sync + 'static,
    ) -> Self {
        let template = template.into();
        let (path, invalid) = match filled(&template, segments) {
            Ok(path) => (path, None),
            Err(what) => (String::new(), Some(what)),
        };
        let node = segments.iter().find(|(name, _)| *name == "node").map(|(_, value)| (*value).to_owned());
        Self {
            method,
            template,
            path,
            node,
            params: Vec::new(),
            listing: false,
            open: false,
            invalid,
            decode: Arc::new(decode),
        }
    }

    /// Adds a parameter; `None` is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.params.push((name, value.into().0));
        }
        self
    }

    /// The answer may be a long list: the larger bound holds.
    #[must_use]
    pub fn listing(mut self) -> Self {
        self.listing = true;
        self
    }

    /// The call needs no authorisation, so none is sent.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Makes the call invalid: it is refused when it is run.
    #[must_use]
    pub(crate) fn refuse(mut self, what: impl Into<String>) -> Self {
        self.invalid.get_or_insert(what.into());
        self
    }

    /// Makes another value of the answer.
    pub fn map<U>(self, make: impl Fn(T) -> U + Send + Sync + 'static) -> Call<U>
    where
        T: 'static,
    {
        let decode = self.decode;
        Call {
            method: self.method,
            template: self.template,
            path: self.path,
            node: self.node,
            params: self.params,
            listing: self.listing,
            open: self.open,
            invalid: self.invalid,
            decode: Arc::new(move |envelope, drift| decode(envelope, drift).map(&make)),
        }
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path's template.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The path, percent-encoded, without the `/api2/json` in front of it. Empty for an invalid call.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it would be sent at all.
    pub fn is_valid(&self) -> bool {
        self.invalid.is_none()
    }

    /// The names of the parameters given.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.params.iter().map(|(name, _)| *name)
    }

    /// Method and template, as errors and drift name the call.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// The parameters in form encoding.
    pub(crate) fn form(&self) -> Zeroizing<String> {
        // Room for all of it at once: growing would leave copies of what may be secret behind.
        let room = self.params.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut form = Zeroizing::new(String::with_capacity(room));
        for (name, value) in &self.params {
            let separator = if form.is_empty() { "" } else { "&" };
            let (name, value) =
                (utf8_percent_encode(name, ESCAPED), utf8_percent_encode(value.as_str(), ESCAPED));
            // Writing to a string does not fail.
            let _ = write!(form, "{separator}{name}={value}");
        }
        form
    }
}

/// A parameter's value as it is written in a form. Its memory is wiped after use: it may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Zeroizing<String>);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::from(if value { "1" } else { "0" })
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self(Zeroizing::new(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self(Zeroizing::new(value))
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::from(value.to_string())
            }
        }
    )*};
}

numbers!(u32, u64, i64, usize);

/// Puts the values into the template.
fn filled(template: &str, segments: &[(&str, &str)]) -> Result<String, String> {
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => path.push_str(part),
            Some(name) => {
                let (_, value) = segments
                    .iter()
                    .find(|(given, _)| *given == name)
                    .ok_or_else(|| format!("the path {template} lacks a value for {name}"))?;
                if value.is_empty() || *value == "." || *value == ".." {
                    return Err(format!("“{value}” cannot be a {name}"));
                }
                path.extend(utf8_percent_encode(value, ESCAPED));
            }
        }
    }
    Ok(path)
}

/// The data of an envelope; that there is none is said in words.
fn data<'a>(envelope: &Envelope<'a>) -> Result<&'a serde_json::value::RawValue, NotUnderstood> {
    envelope.data.ok_or_else(|| NotUnderstood { what: "the reply has no `data`".to_owned(), place: None })
}

/// The answer is one object.
pub(crate) fn object<T: Reply>(envelope: &Envelope<'_>, drift: &mut Drift) -> Result<T, NotUnderstood> {
    decode::object(data(envelope)?, drift)
}

/// The answer is a list; how many rows there are in all stands beside it.
pub(crate) fn rows<T: Reply>(envelope: &Envelope<'_>, drift: &mut Drift) -> Result<Rows<T>, NotUnderstood> {
    let mut rows: Rows<T> = decode::list(data(envelope)?, drift)?;
    rows.total = envelope.total;
    Ok(rows)
}

/// The answer is one value.
pub(crate) fn value<T: Decode>(envelope: &Envelope<'_>, drift: &mut Drift) -> Result<T, NotUnderstood> {
    decode::value(data(envelope)?, drift)?
        .ok_or_else(|| NotUnderstood { what: format!("expected {}, found null", T::KIND), place: None })
}

/// The answer of an action: the task it became; `None` for an action that is no task.
pub(crate) fn task(envelope: &Envelope<'_>, drift: &mut Drift) -> Result<Option<Upid>, NotUnderstood> {
    decode::value(data(envelope)?, drift)
}

/// The answer holds nothing of interest.
pub(crate) fn nothing(envelope: &Envelope<'_>, _: &mut Drift) -> Result<(), NotUnderstood> {
    data(envelope).map(|_| ())
}

/// The answer as it came, for calls that have no type here.
pub fn any(envelope: &Envelope<'_>, _: &mut Drift) -> Result<serde_json::Value, NotUnderstood> {
    Ok(serde_json::from_str(data(envelope)?.get())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_encoded() {
        let upid = "UPID:pve1:0000ABCD:00001234:6B022481:vzstart:101:alice@pve!ci:";
        let call = Call::new(
            Method::Get,
            "/nodes/{node}/tasks/{upid}/status",
            &[("node", "pve1"), ("upid", upid)],
            any,
        );
        assert_eq!(
            call.path(),
            "/nodes/pve1/tasks/UPID%3Apve1%3A0000ABCD%3A00001234%3A6B022481%3Avzstart%3A101%3Aalice%40pve%21ci%3A/status"
        );
        let odd = Call::new(Method::Get, "/nodes/{node}", &[("node", "a/../b ?#%ü🦀")], any);
        assert_eq!(odd.path(), "/nodes/a%2F..%2Fb%20%3F%23%25%C3%BC%F0%9F%A6%80");
        assert!(odd.invalid.is_none());
    }

    #[test]
    fn what_cannot_be_a_segment_is_refused() {
        for value in ["", ".", ".."] {
            assert!(Call::new(Method::Get, "/nodes/{node}", &[("node", value)], any).invalid.is_some());
        }
        assert!(Call::new(Method::Get, "/nodes/{node}", &[], any).invalid.is_some());
    }

    #[test]
    fn parameters_are_form_encoded_and_absent_ones_left_out() {
        let call = Call::new(Method::Post, "/x", &[], any)
            .with("a", Some("ä b+c&d=e"))
            .with("none", None::<bool>)
            .with("yes", Some(true))
            .with("no", Some(false))
            .with("n", Some(7u32));
        assert_eq!(call.form().as_str(), "a=%C3%A4%20b%2Bc%26d%3De&yes=1&no=0&n=7");
        let shown = format!("{call:?}");
        assert!(shown.contains("yes") && !shown.contains("b+c"), "{shown}");
    }
}
