//! What a value may be: of a parameter, of a part of a property string, of a reply.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The documented kind of a value. What really stands on the wire may differ; that is the client's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A truth value; on the wire mostly 0 or 1.
    Boolean,
    /// A list, or a separated text.
    Array,
    /// An object.
    Object,
    /// Nothing.
    Null,
    /// Anything: the documentation does not say.
    Any,
}

/// The documented facts of one value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schema {
    /// The kind of the value.
    pub kind: Kind,
    /// Whether it must be there.
    #[serde(skip_serializing_if = "is_false")]
    pub required: bool,
    /// What an absent value means, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The smallest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest number allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The shortest text allowed, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// The longest text allowed, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The texts allowed; empty where any is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The name of a format of Proxmox, such as `pve-node`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// A Perl regular expression that the whole text matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whether this part of a property string may come without its name.
    #[serde(skip_serializing_if = "is_false")]
    pub default_key: bool,
    /// The parts of an object or of a property string, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Schema>,
    /// What a list is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Schema>>,
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
