//! The API's description is whole, and kept in the repository as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use http_body_util::BodyExt as _;
use serde_json::Value;
use server::openapi::document;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_kept_description_is_the_one_that_is_served() {
    let now = document();
    if std::env::var_os("OPENAPI_WRITE").is_some() {
        std::fs::write(KEPT, &now).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(
        kept == now,
        "docs/openapi.json is not what the routes say; OPENAPI_WRITE=1 cargo test -p server --test openapi writes it"
    );
}

#[test]
fn every_operation_has_a_summary_answers_and_an_example() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let text = document.to_string();
    let mut faults = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{} {path}", method.to_uppercase());
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                faults.push(format!("{what}: no summary"));
            }
            let responses = operation["responses"].as_object().unwrap();
            if !responses.keys().any(|status| status.starts_with('2')) {
                faults.push(format!("{what}: no success"));
            }
            if !responses.values().any(|one| one["content"]["application/problem+json"].is_object()) {
                faults.push(format!("{what}: no problem"));
            }
            let gives = responses.iter().any(|(status, one)| {
                status.starts_with('2') && one["content"]["application/json"].is_object()
            });
            let shown = has_example(&document, &operation["responses"], 0)
                || has_example(&document, &operation["requestBody"], 0);
            if gives && !shown {
                faults.push(format!("{what}: no example"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for reference in text.match_indices("\"#/components/schemas/").map(|(at, lead)| &text[at + lead.len()..])
    {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is referred to and not there");
    }
}

/// Whether an example is in it, or in what it refers to.
fn has_example(document: &Value, value: &Value, depth: usize) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(key, value)| match (key.as_str(), value) {
            ("example" | "examples", _) => true,
            ("$ref", Value::String(path)) if depth < 6 && !path.ends_with("/Problem") => {
                let target = document.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null);
                has_example(document, target, depth + 1)
            }
            _ => has_example(document, value, depth),
        }),
        Value::Array(list) => list.iter().any(|value| has_example(document, value, depth)),
        _ => false,
    }
}

#[tokio::test]
async fn it_is_served_to_whoever_asks() {
    let (_dir, app) = common::bare(common::settings()).await;
    let router = app.router();
    let answer = common::Ask::get("/api/v1/openapi.json").of(&router).await;
    assert_eq!(answer.text, document());
    // It is made once: all have the same bytes of memory.
    let whole = async || {
        let answer = common::Ask::get("/api/v1/openapi.json").sent(&router).await;
        answer.into_body().collect().await.unwrap().to_bytes()
    };
    let (one, other) = (whole().await, whole().await);
    assert_eq!(one.as_ptr(), other.as_ptr());
}
