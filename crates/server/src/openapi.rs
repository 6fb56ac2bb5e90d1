//! The API's description, made from the routes themselves: [`document`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, RefOr, SecurityRequirement, ServerBuilder};

use crate::guard::operations;
use crate::routes;

/// What every document begins with.
#[derive(OpenApi)]
#[openapi(components(schemas(api::Problem, model::access::Grant)))]
struct Common;

const ABOUT: &str = "All Proxmox VE hosts and clusters of an installation: what is there, how sure that is, and \
what may be done with it.\n\nEvery refusal is `application/problem+json`; its `type` is `urn:muster:` and a word \
that stays. Lists take `q`, `sort`, `offset` and `limit`. `{remote}` is a remote's number or its name. \
`x-muster-needs` says which act a route takes and where; what a caller may not see answers 404 as what is not \
there. Requests that change something take an `Idempotency-Key`, and with a cookie `x-muster-csrf`.";

/// The document.
#[must_use]
pub fn described() -> Document {
    let (_, mut document) = routes::all().split_for_parts();
    document.info = InfoBuilder::new()
        .title("Muster")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(utoipa::openapi::LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    let common = Common::openapi().components.unwrap_or_default();
    let components = document.components.get_or_insert_default();
    components.schemas.extend(common.schemas);
    components.security_schemes.insert(
        "token".to_owned(),
        RefOr::T(SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("An API token, `mst_…`."))
                .build(),
        )),
    );
    components.security_schemes.insert(
        "session".to_owned(),
        RefOr::T(SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "muster-{instance}",
            "The session's cookie; its name carries the installation's id.",
        )))),
    );
    let nothing = Vec::<String>::new;
    document.security = Some(vec![
        SecurityRequirement::new("token", nothing()),
        SecurityRequirement::new("session", nothing()),
    ]);
    document
}

/// The document as pretty JSON with sorted keys and a line end: as it is kept in the repository.
#[must_use]
pub fn document() -> String {
    // Through a value, whose objects are sorted: the text is the same each time.
    let value = serde_json::to_value(described()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// The same, made once: whoever comes may ask for it, as often as they like.
pub(crate) fn served() -> Bytes {
    static SERVED: OnceLock<Bytes> = OnceLock::new();
    SERVED.get_or_init(|| document().into()).clone()
}

/// One operation of the API and what it takes, as the document says.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The method.
    pub method: http::Method,
    /// The path's template.
    pub path: String,
    /// Its id: noun and verb.
    pub id: String,
    /// `x-muster-needs`.
    pub needs: Value,
}

/// Every operation there is.
#[must_use]
pub fn declared() -> Vec<Declared> {
    let mut document = described();
    let mut all = Vec::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let needs = operation.extensions.as_ref().and_then(|all| all.get("x-muster-needs")).cloned();
            all.push(Declared {
                method,
                path: path.clone(),
                id: operation.operation_id.clone().unwrap_or_default(),
                needs: needs.unwrap_or_default(),
            });
        }
    }
    all.sort_by(|a, b| (&a.path, a.method.as_str()).cmp(&(&b.path, b.method.as_str())));
    all
}

/// Names of all properties that the document declares as passwords.
pub(crate) fn secret_names() -> BTreeSet<String> {
    let document = serde_json::to_value(described()).unwrap_or_default();
    let schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    let secret: BTreeMap<String, bool> = match &schemas {
        Value::Object(all) => all.iter().map(|(name, schema)| (name.clone(), is_password(schema))).collect(),
        _ => BTreeMap::new(),
    };
    let mut names = BTreeSet::new();
    collect(&schemas, &secret, &mut names);
    names
}

fn is_password(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("password")
}

/// Whether a property is a password, itself or by what it refers to.
fn leads_to_password(schema: &Value, secret: &BTreeMap<String, bool>) -> bool {
    let refers = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next())
        .is_some_and(|name| secret.get(name) == Some(&true));
    let within = ["oneOf", "anyOf", "allOf"].iter().any(|key| {
        schema
            .get(*key)
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| leads_to_password(one, secret)))
    });
    is_password(schema) || refers || within
}

fn collect(schema: &Value, secret: &BTreeMap<String, bool>, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                let found = properties.iter().filter(|(_, schema)| leads_to_password(schema, secret));
                names.extend(found.map(|(name, _)| name.clone()));
            }
            object.values().for_each(|value| collect(value, secret, names));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, secret, names)),
        _ => {}
    }
}
