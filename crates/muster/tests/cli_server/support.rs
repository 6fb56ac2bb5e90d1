//! What the tests share: adding a host, a server with one, output that is one JSON value.

use serde_json::Value;

use crate::common::process::Server;
use crate::common::{Host, Run, path};

/// `muster remote add HOST --name NAME …`.
pub(crate) async fn add(server: &Server, host: &Host, name: &str, more: &[&str]) -> Run {
    let mut line = vec!["remote", "add", &host.address, "--name", name, "--fingerprint", &host.fingerprint];
    line.extend(more);
    server.muster(&line).await
}

/// A server with one remote, `home`, signed in with a token.
pub(crate) async fn home(version: &str) -> (Server, Host) {
    let (server, host) = (Server::fresh().await, Host::start(version).await);
    let token = path(&host.token);
    let run = add(&server, &host, "home", &["--token-file", &token]).await;
    assert_eq!(run.code, 0, "{run:?}");
    server.until("/guests", |page| page["total"] == 4).await;
    (server, host)
}

/// Standard output is one JSON value and nothing else.
pub(crate) fn only_json(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{run:?}");
    let value = run.json();
    if let Some(items) = value.get("items") {
        assert!(value["total"].as_u64().is_some(), "{value}");
        for item in items.as_array().unwrap() {
            assert!(item.get("id").is_some() && item.get("name").is_some(), "{item}");
        }
    }
    value
}
