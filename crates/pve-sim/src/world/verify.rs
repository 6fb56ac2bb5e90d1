//! Parameters against the closed schema of their endpoint, with the server's words for what is wrong.

use std::collections::BTreeMap;

use catalogue::{Kind, Match, Release, Schema};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::formats;
use crate::seam::{ParamValue, Params};

/// Parameters that passed, by name, as text: booleans are "1" and "0", lists are joined by commas.
#[derive(Default)]
pub(crate) struct Args(BTreeMap<String, Arg>);

/// One of them.
struct Arg {
    text: String,
    /// Sent as text: some replies echo it as text then.
    form: bool,
}

impl Args {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|arg| arg.text.as_str())
    }

    /// The text, or nothing at all.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(crate) fn int(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(|text| text.trim_start_matches('+').parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|text| text == "1")
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// A separated list. The real server takes commas, semicolons, blanks and zero bytes.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.get(name).map(split_list).unwrap_or_default()
    }

    /// The value as the reply echoes it: text when it was sent by form.
    pub(crate) fn echo(&self, name: &str) -> Option<Value> {
        let arg = self.0.get(name)?;
        let number = arg.text.parse::<i64>().ok().filter(|_| !arg.form);
        Some(number.map_or_else(|| Value::from(arg.text.clone()), Value::from))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, arg)| (name.as_str(), arg.text.as_str()))
    }
}

/// The words of a separated list.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    text.split([',', ';', ' ', '\t', '\n', '\0']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Checks what was sent, path segments included, against what the endpoint takes in this release.
pub(crate) fn verify(found: &Match<'_>, release: Release, params: &Params) -> Result<Args, Failure> {
    let mut args = BTreeMap::new();
    let mut errors = Map::new();
    for (name, text) in &found.segments {
        if let Some(param) = found.endpoint.accepts(release, name)
            && let Err(words) = check_text(param, text)
        {
            errors.insert((*name).to_owned(), Value::String(words));
        }
        args.insert((*name).to_owned(), Arg { text: text.clone(), form: true });
    }
    for (name, values) in gather(params) {
        // Browsers' libraries add it so that nothing is cached; the real server drops it unread.
        if name == "_dc" {
            continue;
        }
        if let Some(given) = found.segment(name) {
            if !matches!(values.as_slice(), [ParamValue::Form(text)] if text == given) {
                let words = "duplicate parameter (already defined in URI)";
                errors.insert(name.to_owned(), Value::from(words));
            }
            continue;
        }
        let known = found.endpoint.accepts(release, name).filter(|_| formats::index_in_range(name));
        let Some(param) = known else {
            let words =
                "property is not defined in schema and the schema does not allow additional properties";
            errors.insert(name.to_owned(), Value::from(words));
            continue;
        };
        match read(param, &values) {
            // Undefined is as good as absent, but its name must be known.
            Ok(None) => {}
            Ok(Some(arg)) => match unknown_privilege(param, release, &arg.text) {
                Some(words) => {
                    errors.insert(name.to_owned(), Value::String(words));
                }
                None => {
                    args.insert(name.to_owned(), arg);
                }
            },
            Err(words) => {
                errors.insert(name.to_owned(), Value::String(words));
            }
        }
    }
    for param in found.endpoint.params_in(release) {
        let there = args.contains_key(&param.name) || errors.contains_key(&param.name);
        if param.required && !there {
            let words = "property is missing and it is not optional";
            errors.insert(param.name.clone(), Value::from(words));
        }
    }
    if errors.is_empty() { Ok(Args(args)) } else { Err(Failure::params(errors)) }
}

/// What is wrong with a list of privileges of which this release does not know one: their names come and go.
fn unknown_privilege(schema: &Schema, release: Release, text: &str) -> Option<String> {
    if schema.format.as_deref() != Some("pve-priv-list") {
        return None;
    }
    let all = super::facts::all(super::facts::Facts::of(release)?);
    let unknown = split_list(text).into_iter().find(|name| all & super::facts::bit(name) == 0)?;
    Some(format!("invalid format - invalid privilege '{unknown}'\n"))
}

/// The values by name; a name given twice has two.
fn gather(params: &Params) -> BTreeMap<&str, Vec<&ParamValue>> {
    let mut by_name: BTreeMap<&str, Vec<&ParamValue>> = BTreeMap::new();
    for (name, value) in params.iter() {
        by_name.entry(name).or_default().push(value);
    }
    by_name
}

/// One parameter; none if nothing that was sent for it defines it.
fn read(schema: &Schema, values: &[&ParamValue]) -> Result<Option<Arg>, String> {
    let defined = |value: &&&ParamValue| !matches!(value, ParamValue::Bare | ParamValue::Json(Value::Null));
    let values: Vec<&ParamValue> = values.iter().filter(defined).copied().collect();
    let takes_list =
        schema.kind == Kind::Array || schema.format.as_deref().is_some_and(|f| f.ends_with("-list"));
    let arg = match values.as_slice() {
        [] => return Ok(None),
        [ParamValue::Form(text)] => Arg { text: text.clone(), form: true },
        [ParamValue::Json(value)] => match value {
            Value::Bool(flag) => Arg { text: u8::from(*flag).to_string(), form: false },
            Value::Number(number) => Arg { text: number.to_string(), form: false },
            Value::String(text) => Arg { text: text.clone(), form: true },
            Value::Array(items) if takes_list => Arg { text: join(items), form: true },
            Value::Array(_) => return Err(kind_error(schema, "ARRAY")),
            Value::Object(_) => return Err(kind_error(schema, "HASH")),
            Value::Null => return Ok(None),
        },
        several if takes_list => {
            let texts = several.iter().filter_map(|value| match value {
                ParamValue::Form(text) | ParamValue::Json(Value::String(text)) => Some(text.as_str()),
                ParamValue::Json(_) | ParamValue::Bare => None,
            });
            Arg { text: texts.collect::<Vec<_>>().join(","), form: true }
        }
        _ => return Err(kind_error(schema, "ARRAY")),
    };
    check_text(schema, &arg.text).map(|()| Some(arg))
}

fn join(items: &[Value]) -> String {
    let texts = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    texts.collect::<Vec<_>>().join(",")
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Array => "array",
        Kind::Object => "object",
        Kind::Null => "null",
        Kind::String | Kind::Any => "string",
    }
}

fn kind_error(schema: &Schema, got: &str) -> String {
    format!("type check ('{}') failed - got {got}", kind_word(schema.kind))
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { value.to_string() }
}

/// Checks one text against one schema; the words are the server's.
pub(crate) fn check_text(schema: &Schema, text: &str) -> Result<(), String> {
    let fits = match schema.kind {
        Kind::Integer => is_integer(text),
        Kind::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Boolean => matches!(text, "0" | "1"),
        _ => true,
    };
    if !fits {
        return Err(kind_error(schema, &format!("'{text}'")));
    }
    if matches!(schema.kind, Kind::Integer | Kind::Number) {
        let value: f64 = text.parse().unwrap_or_default();
        if let Some(least) = schema.minimum.filter(|least| value < *least) {
            return Err(format!("value must have a minimum value of {}", number(least)));
        }
        if let Some(most) = schema.maximum.filter(|most| value > *most) {
            return Err(format!("value must have a maximum value of {}", number(most)));
        }
    }
    if schema.kind == Kind::String {
        let length = text.chars().count();
        if let Some(least) = schema.min_length.filter(|least| length < *least) {
            return Err(format!("value must be at least {least} characters long"));
        }
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            return Err(format!("value may only be {most} characters long"));
        }
    }
    if !schema.values.is_empty() && !schema.values.iter().any(|value| value == text) {
        let known = schema.values.join(", ");
        return Err(format!("value '{text}' does not have a value in the enumeration '{known}'"));
    }
    if schema.pattern.as_deref().is_some_and(|pattern| !formats::matches(pattern, text)) {
        return Err("value does not match the regex pattern".to_owned());
    }
    if !schema.fields.is_empty() && schema.kind == Kind::String {
        return check_property_string(schema, text);
    }
    if let Some(format) = &schema.format {
        formats::check(format, text).map_err(|words| format!("invalid format - {words}\n"))?;
    }
    Ok(())
}

/// A property string: `key=value,…`, where one key may come without its name.
fn check_property_string(schema: &Schema, text: &str) -> Result<(), String> {
    let default = schema.fields.iter().find(|(_, field)| field.default_key).map(|(name, _)| name.as_str());
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut errors = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (key, value) = match (part.split_once('='), default) {
            (Some((key, value)), _) => (key, value),
            (None, Some(key)) => (key, part),
            (None, None) => return Err("invalid format - format error\nvalue without key\n".to_owned()),
        };
        let is_model =
            schema.fields.get("model").is_some_and(|model| model.values.iter().any(|known| known == key));
        if is_model {
            // `virtio=MAC` says two things: the model and the address.
            seen.insert("model", key);
            seen.insert("macaddr", value);
        } else if schema.fields.contains_key(key) {
            seen.insert(key, value);
        } else {
            errors.push((
                key.to_owned(),
                "property is not defined in schema and the schema does not allow additional properties"
                    .to_owned(),
            ));
        }
    }
    for (key, field) in &schema.fields {
        match seen.get(key.as_str()) {
            Some(value) => {
                if let Err(words) = check_text(field, value) {
                    errors.push((key.clone(), words));
                }
            }
            // What may be anything is another name of a part, and stands here only to be known.
            None if field.required && field.kind != Kind::Any => {
                errors.push((key.clone(), "property is missing and it is not optional".to_owned()));
            }
            None => {}
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let lines: String = errors.iter().map(|(key, words)| format!("{key}: {words}\n")).collect();
    Err(format!("invalid format - format error\n{lines}"))
}
