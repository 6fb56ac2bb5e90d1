//! Looking for secrets where none should be.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Every form in which a secret might be written.
pub fn forms(secret: &str) -> Vec<String> {
    let percent = |keep: fn(u8) -> bool, lower: bool| -> String {
        let encode = |b: u8| match (keep(b), lower) {
            (true, _) => char::from(b).to_string(),
            (false, true) => format!("%{b:02x}"),
            (false, false) => format!("%{b:02X}"),
        };
        secret.bytes().map(encode).collect()
    };
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let mut forms = vec![
        secret.to_owned(),
        percent(unreserved, false),
        percent(unreserved, true),
        percent(|b| b.is_ascii_alphanumeric(), false),
        percent(unreserved, false).replace("%20", "+"),
        secret.escape_debug().to_string(),
        secret.escape_default().to_string(),
    ];
    let json = serde_json::to_string(secret).unwrap();
    forms.push(json.trim_matches('"').to_owned());
    forms.push(json.trim_matches('"').replace('/', "\\/"));
    // Within a longer text, base64 depends on where the secret begins: leave out what the neighbours decide.
    for shift in 0..3_usize {
        let padded: Vec<u8> = std::iter::repeat_n(b'x', shift).chain(secret.bytes()).collect();
        let whole = (padded.len() / 3) * 3;
        let skip = if shift == 0 { 0 } else { 4 };
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&padded[..whole])[skip..].to_owned());
        }
    }
    forms.retain(|f| f.len() >= 6);
    forms.sort();
    forms.dedup();
    forms
}

/// Where in `bytes` a secret stands, in whatever form: what surrounds it.
pub fn found(bytes: &[u8], secret: &str) -> Option<String> {
    forms(secret).into_iter().find_map(|form| {
        let at = bytes.windows(form.len()).position(|window| window == form.as_bytes())?;
        let around = &bytes[at.saturating_sub(80)..bytes.len().min(at + form.len() + 80)];
        Some(format!("as {form:?} in {:?}", String::from_utf8_lossy(around)))
    })
}
