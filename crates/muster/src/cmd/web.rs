//! Where Proxmox VE's own web interface shows a thing.

use serde_json::{Value, json};

use crate::cli::Common;
use crate::client::Client;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::text::safe;

/// Prints where the web interface shows what stands at a path of the API.
pub(super) async fn print(
    client: &Client,
    path: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let value: Value = client.get(path).await?;
    let url = value.get("open_url").and_then(Value::as_str);
    if common.json() {
        let of = |name: &str| value.get(name).cloned().unwrap_or_default();
        context.print_json(&json!({"id": of("id"), "name": of("name"), "open_url": of("open_url")}))?;
        return Ok(Exit::Done);
    }
    let url = url.ok_or_else(|| {
        Failure::new(Exit::Failed, "It is not known where its web interface is.")
            .hint("\"muster remote edit REMOTE --web-url URL\" says it.")
    })?;
    context.print(&format!("{}\n", safe(url)))?;
    Ok(Exit::Done)
}
