//! Two types of one name would be one in the OpenAPI document, and one of them wrong.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

/// The schema's names in a folder's sources, each with the file it stands in.
fn names(folder: &Path, found: &mut BTreeMap<String, Vec<String>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, found);
            continue;
        }
        let (mut schema, mut renamed) = (false, None);
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            schema |= line.contains("ToSchema") && line.contains("derive(");
            if let Some((_, rest)) = line.split_once("schema(as = ") {
                renamed = rest.split(')').next().map(str::to_owned);
            }
            // What a macro makes stands further in, and is named where the macro is used.
            let item =
                ["pub struct ", "pub enum "].iter().find_map(|head| line.trim_start().strip_prefix(head));
            if let Some(item) = item {
                let own = item.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                if std::mem::take(&mut schema) && !own.is_empty() {
                    let name = renamed.take().unwrap_or_else(|| own.to_owned());
                    found.entry(name).or_default().push(path.display().to_string());
                }
                renamed = None;
            }
        }
    }
}

#[test]
fn no_two_schemas_share_a_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    names(&root.join("src"), &mut found);
    names(&root.join("../model/src"), &mut found);
    assert!(found.len() > 100, "the sources were not understood");
    let twice: Vec<_> = found.iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(twice.is_empty(), "give one of each #[schema(as = …)]: {twice:#?}");
}
