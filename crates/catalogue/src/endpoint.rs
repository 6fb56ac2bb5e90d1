//! One endpoint: a method on a path, with its facts for every release that has it.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::release::{Release, Releases};
use crate::schema::{Kind, Schema, is_false};

/// The four HTTP methods that Proxmox VE knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// The method as it stands in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Method {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Get, Self::Post, Self::Put, Self::Delete].into_iter().find(|m| m.as_str() == text).ok_or(())
    }
}

/// One endpoint of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path below `/api2/json`, with names in braces for what varies: `/nodes/{node}/lxc/{vmid}/config`.
    pub path: String,
    /// How it is reached and who may call it, for the releases that have it.
    pub access: Vec<Access>,
    /// Its parameters, those in the path included. One whose facts changed stands once for each form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// What it answers, below the envelope's `data`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Returns>,
}

/// How an endpoint is reached and who may call it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The releases this is true of.
    #[serde(rename = "in", default = "Releases::all", skip_serializing_if = "Releases::is_all")]
    pub releases: Releases,
    /// Whether the local root daemon carries it out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub protected: bool,
    /// Whether the node named in the path answers it, through whichever node was asked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub proxied: bool,
    /// Whether API tokens may call it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub token_allowed: bool,
    /// The privileges asked for.
    pub permission: Permission,
}

/// Who may call an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Nothing is documented: root@pam only.
    Root,
    /// Anybody, signed in or not.
    World,
    /// Anybody who is signed in; the answer may be filtered.
    User,
    /// Who passes the check.
    Check(Check),
}

/// A check of privileges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// All the privileges on the path.
    Perm {
        /// The path of the permission system, with names in braces: `/vms/{vmid}`.
        path: String,
        /// The privileges, such as `VM.Audit`.
        privileges: Vec<String>,
    },
    /// At least one of the privileges on the path.
    PermAny {
        /// The path of the permission system.
        path: String,
        /// The privileges.
        privileges: Vec<String>,
    },
    /// Every one of these.
    All(Vec<Check>),
    /// At least one of these.
    Any(Vec<Check>),
    /// A rule of Proxmox's own, by its words: `userid-param self`.
    Special(Vec<String>),
}

/// A parameter of an endpoint. Its facts are reached through [`Schema`]: `param.kind`, `param.required`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name; `net[n]` stands for `net0`, `net1` and so on.
    pub name: String,
    /// The releases this is true of.
    #[serde(rename = "in", default = "Releases::all", skip_serializing_if = "Releases::is_all")]
    pub releases: Releases,
    /// Its facts.
    pub schema: Schema,
}

impl Deref for Param {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        &self.schema
    }
}

/// What an endpoint answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// The releases this is true of.
    #[serde(rename = "in", default = "Releases::all", skip_serializing_if = "Releases::is_all")]
    pub releases: Releases,
    /// The documented form.
    pub schema: Schema,
}

// === impl Endpoint ===

impl Endpoint {
    /// Whether the release has this endpoint.
    #[must_use]
    pub fn exists_in(&self, release: Release) -> bool {
        self.access(release).is_some()
    }

    /// How the endpoint is reached in the release; none where the release does not have it.
    #[must_use]
    pub fn access(&self, release: Release) -> Option<&Access> {
        self.access.iter().find(|access| access.releases.contains(release))
    }

    /// The parameters that the release knows.
    pub fn params_in(&self, release: Release) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(move |param| param.releases.contains(release))
    }

    /// The parameter of this name in the release; `net0` finds `net[n]`.
    #[must_use]
    pub fn accepts(&self, release: Release, name: &str) -> Option<&Param> {
        self.params_in(release).find(|param| {
            param.name == name
                || param.name.strip_suffix("[n]").is_some_and(|stem| {
                    name.strip_prefix(stem)
                        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
                })
        })
    }

    /// The documented answer in the release.
    #[must_use]
    pub fn returns_in(&self, release: Release) -> Option<&Schema> {
        self.returns.iter().find(|returns| returns.releases.contains(release)).map(|returns| &returns.schema)
    }

    /// The kind of the documented answer in the release: [`Kind::Any`] where nothing is documented.
    #[must_use]
    pub fn answer_kind(&self, release: Release) -> Kind {
        self.returns_in(release).map_or(Kind::Any, |schema| schema.kind)
    }
}
