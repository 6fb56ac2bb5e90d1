//! What is compared, and what may differ: names, numbers, the order of things, and how many rows a list has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use catalogue::{Catalogue, Method, Release, Schema};
use serde_json::Value;

use super::corpus::{Corpus, Exchange};
use super::support::Response;

type Shape = BTreeMap<String, BTreeSet<&'static str>>;

/// What is known of the answers of each call: from the recordings of this server, and from the field.
pub struct Known {
    wire: BTreeMap<String, Shape>,
    field: BTreeMap<String, Shape>,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Objects whose keys are names and not columns.
const NAMED: [&str; 12] = [
    "/access/permissions ",
    "/access/permissions .*",
    "/access/roles/{roleid} ",
    "/access/ticket .cap.*",
    "/access/users/{userid} .tokens",
    "/cluster/ha/status/manager_status .manager_status.node_status",
    "/cluster/ha/status/manager_status .manager_status.service_status",
    "/cluster/ha/status/manager_status .lrm_status",
    "/cluster/options .tag-style",
    "/nodes/{node}/qemu/{vmid}/status/current .nics",
    "/nodes/{node}/qemu/{vmid}/status/current .blockstat",
    "/nodes/{node}/qemu/{vmid}/migrate .not_allowed_nodes",
];

fn shape_of(template: &str, path: &str, value: &Value, shape: &mut Shape) {
    shape.entry(path.to_owned()).or_default().insert(kind(value));
    match value {
        Value::Array(rows) => {
            rows.iter().for_each(|row| shape_of(template, &format!("{path}[]"), row, shape))
        }
        Value::Object(fields) => {
            let named = NAMED.contains(&format!("{template} {path}").as_str());
            for (key, value) in fields {
                let key = if named { "*".to_owned() } else { unnumbered(key) };
                shape_of(template, &format!("{path}.{key}"), value, shape);
            }
        }
        _ => {}
    }
}

/// `net0` and `net1` are one column.
fn unnumbered(key: &str) -> String {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() < key.len() { format!("{stem}#") } else { key.to_owned() }
}

/// Words without what is the recorder's own: names in quotes, numbers, what its resolver said.
fn plain(words: &str) -> String {
    let words = words.split("failed to get address info for: ").next().unwrap_or_default();
    let mut text = String::new();
    let mut quoted = false;
    for c in words.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                text.push(c);
            }
            _ if quoted => {}
            _ if c.is_ascii_digit() => {
                if !text.ends_with('#') {
                    text.push('#');
                }
            }
            _ => text.push(c),
        }
    }
    text
}

/// Headers of the moment, which say nothing of the answer.
fn header_names(headers: &[(String, String)]) -> BTreeSet<String> {
    headers.iter().map(|(name, _)| name.to_lowercase()).collect()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn template_of(exchange: &Exchange) -> Option<String> {
    let method: Method = exchange.method.parse().ok()?;
    let found = Catalogue::builtin().resolve(Release::V9_2, method, exchange.path())?;
    Some(found.endpoint.path.clone())
}

fn documented(schema: &Schema, path: &str, names: &mut BTreeSet<String>) {
    names.insert(path.to_owned());
    for (key, field) in &schema.fields {
        documented(field, &format!("{path}.{}", unnumbered(key)), names);
    }
    if let Some(items) = &schema.items {
        documented(items, &format!("{path}[]"), names);
    }
}

/// Columns that depend on what a single guest has, or on who started a task.
const OPTIONAL: [&str; 8] = ["tokenid", "tags", "pool", "lock", "hastate", "serial", "balloon_min", "shares"];

/// Rows of one type and state must have the same columns: what is unknown has no name.
fn compare_rows(theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    type Columns = BTreeSet<String>;
    let groups = |value: &Value| -> BTreeMap<(String, String, bool), (Columns, Columns)> {
        let mut groups: BTreeMap<_, (Columns, Columns)> = BTreeMap::new();
        for row in value.as_array().into_iter().flatten() {
            let (Some(kind), Some(state)) = (row["type"].as_str(), row["status"].as_str()) else { continue };
            let fields = row.as_object().into_iter().flatten();
            let columns: Columns =
                fields.map(|(key, _)| key.clone()).filter(|key| !OPTIONAL.contains(&key.as_str())).collect();
            // Tasks have free text as their state.
            let (kind, state) = if row["upid"].is_string() { ("task", "") } else { (kind, state) };
            let named = row["name"].is_string();
            let group = groups.entry((kind.to_owned(), state.to_owned(), named)).or_default();
            if group.0.is_empty() {
                group.1.clone_from(&columns);
            }
            group.1 = group.1.intersection(&columns).cloned().collect();
            group.0.extend(columns);
        }
        groups
    };
    let (theirs, ours) = (groups(theirs), groups(ours));
    for (group, (all, always)) in &theirs {
        match ours.get(group) {
            None => found.push(format!("no row like {group:?}")),
            Some((our_all, our_always)) => {
                for missing in always.difference(our_always) {
                    found.push(format!("rows {group:?}: {missing} is missing"));
                }
                for added in our_all.difference(all) {
                    found.push(format!("rows {group:?}: {added} is added"));
                }
            }
        }
    }
}

impl Known {
    pub fn read(corpus: &Corpus) -> Self {
        let mut wire: BTreeMap<String, Shape> = BTreeMap::new();
        for file in corpus.files() {
            let exchange = Exchange::read(corpus, &file);
            if exchange.status != 200 {
                continue;
            }
            let Some(template) = template_of(&exchange) else { continue };
            if let Ok(body) = serde_json::from_str::<Value>(&exchange.answer) {
                let key = format!("{} {template}", exchange.method);
                shape_of(&template, "", &body["data"], wire.entry(key).or_default());
            }
        }
        let mut field: BTreeMap<String, Shape> = BTreeMap::new();
        let index = fs::read_to_string(corpus.0.join("bodies/INDEX.tsv")).unwrap_or_default();
        for line in index.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [_, file, method, template, "200", ..] = columns.as_slice() else { continue };
            let text = fs::read_to_string(corpus.0.join("bodies").join(file)).unwrap_or_default();
            let Ok(kept) = serde_json::from_str::<Value>(&text) else { continue };
            let body = &kept["body"];
            let data = if kept["envelope"] == Value::Bool(true) { &body["data"] } else { body };
            shape_of(template, "", data, field.entry(format!("{method} {template}")).or_default());
        }
        Self { wire, field }
    }

    /// The pressures of a guest are filled in by one routine of the real server wherever they stand; the
    /// recorder's containers had none. What was seen of them in one place may stand in the other.
    fn sibling(&self, key: &str, path: &str) -> Option<&BTreeSet<&'static str>> {
        if !path.contains("pressure") {
            return None;
        }
        let (key, path) = match key {
            "GET /nodes/{node}/lxc" => {
                ("GET /nodes/{node}/lxc/{vmid}/status/current", path.trim_start_matches("[]"))
            }
            "GET /nodes/{node}/lxc/{vmid}/rrddata" => ("GET /nodes/{node}/qemu/{vmid}/rrddata", path),
            _ => return None,
        };
        self.field.get(key).and_then(|shape| shape.get(path))
    }

    /// Every difference, in words.
    pub fn compare(&self, recorded: &Exchange, answer: &Response) -> Vec<String> {
        let mut found = Vec::new();
        if recorded.status != answer.status {
            let words = String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
            let (theirs, ours) = (recorded.status, answer.status);
            found.push(format!("status {theirs}, ours {ours} {} {words}", answer.reason));
            return found;
        }
        if plain(&recorded.reason) != plain(&answer.reason) {
            found.push(format!("reason \"{}\", ours \"{}\"", recorded.reason, answer.reason));
        }
        let (theirs, ours) = (header_names(&recorded.answer_headers), header_names(&answer.headers));
        if theirs != ours {
            let missing: Vec<&String> = theirs.difference(&ours).collect();
            let added: Vec<&String> = ours.difference(&theirs).collect();
            found.push(format!("headers missing {missing:?}, added {added:?}"));
        }
        let (theirs, ours) =
            (header(&recorded.answer_headers, "Content-Type"), answer.header("Content-Type"));
        if theirs != ours {
            found.push(format!("content type {theirs:?}, ours {ours:?}"));
        }
        let theirs = serde_json::from_str::<Value>(&recorded.answer);
        let ours = serde_json::from_slice::<Value>(&answer.body);
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => self.compare_bodies(recorded, &theirs, &ours, &mut found),
            (Err(_), Err(_)) => {
                let ours = String::from_utf8_lossy(&answer.body);
                if plain(recorded.answer.trim()) != plain(ours.trim()) {
                    found.push(format!("body \"{}\", ours \"{ours}\"", recorded.answer));
                }
            }
            (theirs, _) => found.push(format!("JSON: theirs {}, ours not alike", theirs.is_ok())),
        }
        found
    }

    fn compare_bodies(&self, recorded: &Exchange, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
        let keys = |value: &Value| -> BTreeSet<String> {
            value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
        };
        if keys(theirs) != keys(ours) {
            found.push(format!("envelope {:?}, ours {:?}", keys(theirs), keys(ours)));
        }
        if keys(&theirs["errors"]) != keys(&ours["errors"]) {
            let (theirs, ours) = (keys(&theirs["errors"]), keys(&ours["errors"]));
            found.push(format!("errors {theirs:?}, ours {ours:?}"));
        }
        if let (Some(theirs), Some(ours)) = (theirs["message"].as_str(), ours["message"].as_str())
            && plain(theirs) != plain(ours)
        {
            found.push(format!("message {theirs:?}, ours {ours:?}"));
        }
        let template = template_of(recorded).unwrap_or_default();
        let key = format!("{} {template}", recorded.method);
        let (mut here, mut there) = (Shape::new(), Shape::new());
        shape_of(&template, "", &ours["data"], &mut here);
        shape_of(&template, "", &theirs["data"], &mut there);
        let nothing = Shape::new();
        let wire = self.wire.get(&key).unwrap_or(&nothing);
        let field = self.field.get(&key).unwrap_or(&nothing);
        let mut documented_names = BTreeSet::new();
        if let Some(schema) = Catalogue::builtin()
            .resolve(Release::V9_2, recorded.method.parse().unwrap_or(Method::Get), recorded.path())
            .and_then(|found| found.endpoint.returns_in(Release::V9_2))
        {
            documented(schema, "", &mut documented_names);
        }
        compare_rows(&theirs["data"], &ours["data"], found);
        for path in there.keys().filter(|path| !here.contains_key(*path)) {
            found.push(format!("{path} is missing"));
        }
        for (path, kinds) in &here {
            if recorded.status != 200 {
                break;
            }
            let sibling = self.sibling(&key, path);
            let allowed: BTreeSet<&str> = [wire.get(path), field.get(path), there.get(path), sibling]
                .into_iter()
                .flatten()
                .flatten()
                .copied()
                .collect();
            if allowed.is_empty() {
                let option = template.ends_with("/config") && !documented_names.is_empty();
                if !documented_names.contains(path) && !option {
                    found.push(format!("{path} is sent, and nobody ever saw it"));
                }
            } else if !kinds.is_subset(&allowed) {
                found.push(format!("{path} is {kinds:?}, seen were {allowed:?}"));
            }
        }
    }
}
