//! No secret of an onboarding is in anything that it shows, or that anything logs meanwhile.
//!
//! A program of its own: what is logged is listened to everywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may end itself"
)]

#[allow(dead_code, reason = "shared with the other tests of onboarding")]
#[path = "onboard/support.rs"]
mod support;

use std::sync::{Arc, Mutex};

use fleet::onboard::{Keep, Onboarding, Rights};
use pve_sim::Fault;
use tracing::field::{Field, Visit};

use support::{Bench, PATIENCE, keeping, minting, password, root, user};

/// Takes down everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn no_secret_is_in_what_is_shown_or_logged() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let mut careful = user("dave@pve", &[("/", "Administrator")]);
    "canary-password".clone_into(&mut careful.password);
    careful.recovery = vec!["9911-2222-3333-4444".to_owned()];
    let bench = Bench::with_user("9.2", careful).await;
    let mut shown = String::new();
    let mut onboarding = bench.trusted().await;
    let given = password("dave@pve", "canary-password");
    shown += &format!("{given:?}");
    shown += &format!("{:?}", onboarding.sign_in(given).await);
    shown += &format!("{onboarding:?}");
    shown += &format!("{:?}", onboarding.second_factor("9911-0000-0000-0000".into()).await);
    shown += &format!("{:?}", onboarding.second_factor("9911-2222-3333-4444".into()).await);
    shown += &serde_json::to_string(onboarding.step()).unwrap();
    // A failure after the token was made, then a success: both with a secret of their own.
    let mut secrets = vec!["canary-password".to_owned(), "9911-".to_owned()];
    bench.remote.fault(None, Fault::Forbidden { text: "no".to_owned() }.on("/access/permissions")).await;
    let error = onboarding.finish(minting(Rights::Look)).await.unwrap_err();
    shown += &format!("{error} {error:?} {}", error.remedy());
    bench.remote.clear_all().await;
    let mut done = onboarding.finish(minting(Rights::Look)).await.unwrap();
    done.saved();
    shown += &format!("{done:?} {onboarding:?} {:?}", done.printed);
    shown += &serde_json::to_string(&done.minted).unwrap();
    let pve::Credential::Token { secret, .. } = &done.spec.credential else { panic!() };
    secrets.push(secret.expose().to_owned());
    assert!(secret.expose().len() > 20);
    // What was kept as it was given.
    let mut onboarding: Onboarding = bench.signed_in(root()).await;
    let done = onboarding.finish(keeping(Keep::Given)).await.unwrap();
    shown += &format!("{done:?}");
    secrets.push("secret-root".to_owned());
    let journal = bench.remote.journal();
    let tickets = journal.iter().filter_map(|one| one.header("cookie").map(str::to_owned));
    secrets.extend(tickets.filter_map(|cookie| cookie.split_once('=').map(|(_, ticket)| ticket.to_owned())));
    let csrf = journal.iter().filter_map(|one| one.header("CSRFPreventionToken").map(str::to_owned));
    secrets.extend(csrf);
    tokio::time::timeout(PATIENCE, bench.end()).await.unwrap();
    shown += &log.0.lock().unwrap();
    assert!(shown.contains("/access/acl") && shown.len() > 2000, "the log was listened to");
    assert!(secrets.len() > 6);
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret}");
    }
}
