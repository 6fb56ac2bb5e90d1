//! Finding an endpoint: by its template, or by a concrete path.

use std::collections::HashMap;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;

use crate::endpoint::{Endpoint, Method};
use crate::release::Release;

/// One endpoint a line, sorted by path and method; made from the published API descriptions of the known
/// releases, and checked against them by a test.
const DATA: &str = include_str!("../data/endpoints.jsonl");

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(parse(DATA)));

/// All endpoints, with an index over their paths.
#[derive(Debug)]
pub struct Catalogue {
    endpoints: Vec<Endpoint>,
    root: Segment,
}

/// One level of the tree of paths.
#[derive(Debug, Default)]
struct Segment {
    literal: HashMap<String, Segment>,
    variable: Option<Box<Segment>>,
    endpoints: Vec<usize>,
}

/// An endpoint that answers a concrete path, and what stands in the path for each name in its template.
#[derive(Debug, Clone, PartialEq)]
pub struct Match<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Name in the template and decoded text in the path, in order.
    pub segments: Vec<(&'a str, String)>,
}

impl Match<'_> {
    /// The decoded text that stands in the path for a name in the template.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<&str> {
        self.segments.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }
}

impl Catalogue {
    /// The catalogue that is part of this crate.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// A catalogue of these endpoints.
    #[must_use]
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        let mut root = Segment::default();
        for (index, endpoint) in endpoints.iter().enumerate() {
            let mut at = &mut root;
            for part in parts(&endpoint.path) {
                at = if name_of(part).is_some() {
                    at.variable.get_or_insert_with(Box::default)
                } else {
                    at.literal.entry(part.to_owned()).or_default()
                };
            }
            at.endpoints.push(index);
        }
        Self { endpoints, root }
    }

    /// All endpoints, sorted by path and method.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The endpoint with exactly this template, such as `/nodes/{node}/lxc/{vmid}/config`.
    #[must_use]
    pub fn get(&self, method: Method, template: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.method == method && endpoint.path == template)
    }

    /// The endpoint that answers a concrete path in a release.
    ///
    /// The path is as it stands on the wire after `/api2/json`, still percent-encoded and without a query.
    /// Empty segments are passed over, as Proxmox does.
    #[must_use]
    pub fn resolve(&self, release: Release, method: Method, path: &str) -> Option<Match<'_>> {
        let decoded = decode(path);
        let mut found = Vec::new();
        self.root.find(&decoded, &mut found);
        let endpoint = found
            .into_iter()
            .filter_map(|index| self.endpoints.get(index))
            .find(|endpoint| endpoint.method == method && endpoint.exists_in(release))?;
        let segments = parts(&endpoint.path)
            .zip(decoded)
            .filter_map(|(part, text)| name_of(part).map(|name| (name, text)))
            .collect();
        Some(Match { endpoint, segments })
    }

    /// Whether the release has any method on this concrete path.
    #[must_use]
    pub fn knows_path(&self, release: Release, path: &str) -> bool {
        [Method::Get, Method::Post, Method::Put, Method::Delete]
            .into_iter()
            .any(|method| self.resolve(release, method, path).is_some())
    }
}

impl Segment {
    /// Collects the endpoints of a path, those with more literal segments first.
    fn find(&self, path: &[String], found: &mut Vec<usize>) {
        let Some((first, rest)) = path.split_first() else {
            found.extend(&self.endpoints);
            return;
        };
        if let Some(next) = self.literal.get(first) {
            next.find(rest, found);
        }
        if let Some(next) = &self.variable {
            next.find(rest, found);
        }
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn decode(path: &str) -> Vec<String> {
    parts(path).map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
}

fn name_of(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

#[allow(clippy::panic)] // The data is part of this crate and a test reads it: a line that fails cannot ship.
fn parse(data: &str) -> Vec<Endpoint> {
    data.lines()
        .map(|line| match serde_json::from_str(line) {
            Ok(endpoint) => endpoint,
            Err(error) => panic!("the built-in catalogue has a line that cannot be read: {error}: {line}"),
        })
        .collect()
}
