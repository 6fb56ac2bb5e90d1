//! An action in each of the ways in which a host can be away: it tries the link first and ends as not sent, with the
//! very cause; or it is refused with that cause where only a person can mend it. Nothing of it is ever sent.

use std::sync::Arc;

use pve_sim::{BlackHoleAt, Fault, ResetAt, Topology};
use serde_json::{Value, json};

use crate::support::{House, wish};

/// What the fault is called, where a host that has it is away; `None`: it answers, oddly or slowly, or for one node.
fn causes(fault: &Fault) -> Option<&'static [&'static str]> {
    // Without a wildcard: a new fault has to be placed here.
    Some(match fault {
        Fault::Refuse => &["refused"],
        Fault::BlackHole { at: BlackHoleAt::Syn } => &["connect_timeout"],
        Fault::BlackHole { at: BlackHoleAt::Tls | BlackHoleAt::Answer } => &["no_answer"],
        Fault::Reset { .. } | Fault::Cut { .. } => &["answer_cut"],
        Fault::PlainHttp => &["not_http", "tls_failure"],
        Fault::NotProxmox | Fault::Redirect { .. } => &["not_proxmox"],
        Fault::MalformedJson => &["not_understood"],
        Fault::Forbidden { .. } => &["privilege_missing"],
        Fault::ServerError { .. } => &["server_error"],
        Fault::Unauthorized => &["credentials_rejected"],
        Fault::WrongKey => &["untrusted_certificate"],
        Fault::ChangeCertificate { .. } => &["certificate_changed"],
        Fault::Delay { .. }
        | Fault::Drip { .. }
        | Fault::WrongType { .. }
        | Fault::MissingField { .. }
        | Fault::Proxy { .. }
        | Fault::ExpireTickets
        | Fault::NodeDown { .. }
        | Fault::NodeHung { .. }
        | Fault::QuorumLost
        | Fault::HideRows { .. }
        | Fault::Restart { .. }
        | Fault::ClockSkew { .. }
        | Fault::LoseAnswer => return None,
        Fault::PlainTextBody => &["not_understood"],
    })
}

fn all() -> Vec<Fault> {
    vec![
        Fault::Refuse,
        Fault::BlackHole { at: BlackHoleAt::Syn },
        Fault::BlackHole { at: BlackHoleAt::Tls },
        Fault::BlackHole { at: BlackHoleAt::Answer },
        Fault::Reset { at: ResetAt::Tls },
        Fault::Reset { at: ResetAt::Request },
        Fault::Reset { at: ResetAt::Answer },
        Fault::Cut { after_bytes: 5 },
        Fault::PlainHttp,
        Fault::NotProxmox,
        Fault::Redirect { to: "https://elsewhere.example:8006".into() },
        Fault::MalformedJson,
        Fault::PlainTextBody,
        Fault::Forbidden { text: "Permission check failed (/, Sys.Audit)".into() },
        Fault::ServerError { text: "internal error".into() },
        Fault::Unauthorized,
        Fault::WrongKey,
        Fault::ChangeCertificate { same_ca: false },
        Fault::ChangeCertificate { same_ca: true },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_ends_as_not_sent_with_the_very_cause() {
    let mut runs = tokio::task::JoinSet::new();
    let places = Arc::new(tokio::sync::Semaphore::new(10));
    for fault in all() {
        let places = places.clone();
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            one(fault).await;
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

async fn one(fault: Fault) {
    let what = format!("{fault:?}");
    let codes = causes(&fault).unwrap();
    let house = House::managing(Topology::single("9.2")).await;
    let known = house.get("/guests").await.ok()["total"].clone();
    let heals = !matches!(fault, Fault::ChangeCertificate { .. });
    // A person has to mend these, and yet they are tried again after a while; an action that comes in that moment tries,
    // too.
    let tried_again = matches!(fault, Fault::Unauthorized | Fault::WrongKey);
    house.remote.fault(None, fault).await;
    let named = |value: &Value| codes.iter().any(|code| value["cause"]["code"] == *code);
    let remote = house
        .until("/remotes/home", &what, |remote| {
            let link = &remote["link"];
            link["up"] == false && named(link) && (!tried_again || link["needs_person"] == true)
        })
        .await;
    let link = &remote["link"];
    assert!(!link["cause"]["sentence"].as_str().unwrap_or_default().is_empty(), "{what}: {link}");
    assert!(!link["cause"]["remedy"].as_str().unwrap_or_default().is_empty(), "{what}: {link}");
    assert_eq!(house.get("/guests").await.ok()["total"], known, "{what}: everything is still there");

    let before = house.mutations().len();
    let guest = house.get("/guests/home/102?look=false").await.ok();
    let start = guest["actions"].as_array().unwrap().iter().find(|one| one["action"] == "start").unwrap();
    let asked = house.post("/operations", wish(102, "start")).await;
    if asked.status.as_u16() == 409 {
        // It cannot pass by itself: refused, with the way to mend it.
        assert_eq!(link["needs_person"], true, "{what}: {link}");
        assert!(tried_again || start["availability"] == "disabled", "{what}: {start}");
        let problem = asked.refused(409, "disabled");
        assert!(named(&problem), "{what}: {problem}");
        assert!(!problem["remedy"].as_str().unwrap().is_empty(), "{what}: {problem}");
        assert_eq!(house.get("/operations").await.ok()["total"], 0, "{what}: nothing waits");
    } else {
        assert!(tried_again || link["needs_person"] == false, "{what}: {link}");
        assert!(tried_again || start["availability"] == "may_fail", "{what}: {start}");
        let operation = house.ended(asked.ok()["id"].as_str().unwrap()).await;
        assert_eq!(
            (&operation["state"], &operation["success"]),
            (&json!("not_sent"), &json!(false)),
            "{operation}"
        );
        assert!(named(&operation), "{what}: {operation}");
    }

    // The way is free again: what was not sent then is not sent now.
    house.remote.clear_all().await;
    if heals {
        house.link("home", "connected").await;
        house.until("/guests?q=vmid:102", "live", |page| page["items"][0]["freshness"] == "live").await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(house.mutations().len(), before, "{what}: {:?}", house.mutations());
    assert_eq!(house.get("/guests?q=vmid:102").await.ok()["items"][0]["last_state"], "stopped", "{what}");
    house.end().await;
}
