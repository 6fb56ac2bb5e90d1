//! What the server encodes the command line decodes; what it does not know it passes over; nothing secret is
//! shown; no object has a key twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use api::guest::{ActionAvailability, Fields, Guest, GuestDetail, Part};
use api::operation::{Operation, OperationRequest, Resolve};
use api::remote::{CoverageRow, Link, RemoteEdit, RemoteFigures, RemoteRow};
use api::storage::Storage;
use api::stream::{
    Bye, ByeWhy, Events, Hello, ListChanges, ListOf, ListRows, ListSubscription, Reset, ResetWhy,
    StreamMessage, Subscriptions, Topic,
};
use api::{Cause, Counts, Page, Problem, Secret};
use jiff::Timestamp;
use model::facet::Coverage;
use model::link::{EndpointView, Health, LinkView};
use model::rows::{GuestRow, Standing, StorageRow};
use model::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Encodes, looks for doubled keys, adds a field from the future to every object, decodes, compares.
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(what: &T) -> Value {
    let text = serde_json::to_string(what).unwrap();
    no_key_twice(&text);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), what, "{text}");
    let mut newer = value.clone();
    newer["from_the_future"] = json!({"x": 1});
    assert_eq!(&serde_json::from_value::<T>(newer).unwrap(), what, "{text}");
    value
}

/// Counts keys in the text itself: a parsed object has lost the doubled ones.
fn no_key_twice(text: &str) {
    struct Keys;
    impl<'de> serde::de::DeserializeSeed<'de> for Keys {
        type Value = ();
        fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
            from.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("JSON")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while list.next_element_seed(Keys)?.is_some() {}
            Ok(())
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut seen = BTreeSet::new();
            while let Some(key) = map.next_key::<String>()? {
                assert!(seen.insert(key.clone()), "key {key:?} twice");
                map.next_value_seed(Keys)?;
            }
            Ok(())
        }
    }
    let mut from = serde_json::Deserializer::from_str(text);
    serde::de::DeserializeSeed::deserialize(Keys, &mut from).unwrap();
}

fn timed_out() -> model::Cause {
    model::Cause::ConnectTimeout { after: Duration::from_secs(5) }
}

fn endpoint() -> EndpointId {
    "192.0.2.7:8006".into()
}

fn link() -> LinkView {
    LinkView {
        state: LinkState::BackingOff { cause: timed_out(), next_try: at(9) },
        since: at(1),
        down_since: Some(at(1)),
        last_success: Some(at(0)),
        endpoints: vec![EndpointView {
            endpoint: endpoint(),
            health: Health::Failing {
                cause: timed_out(),
                since: at(1),
                failures: 3,
                next_try: at(9),
                due: Duration::ZERO,
            },
            last_success: None,
            in_use: true,
        }],
    }
}

fn guest() -> Guest {
    let mut facts = model::Guest::bare(GuestKind::Ct, Vmid(101), "pve1".into());
    facts.name = Some("web".into());
    facts.state = GuestState::Other("prelaunch".into());
    (facts.cpu, facts.memory, facts.tags) = (Some(0.25), Some(u64::MAX), ["prod".into()].into());
    Guest {
        id: api::guest_id(RemoteId(7), Vmid(101)),
        remote_id: RemoteId(7),
        remote: "home".into(),
        word: "out of reach".into(),
        stale_why: Some("connection timed out".into()),
        row: GuestRow {
            state: GuestState::Unknown,
            guest: facts,
            incarnation: Incarnation(2),
            observed_at: Some(at(0)),
            through: Some(endpoint()),
            freshness: Freshness::Stale { since: at(0), why: StaleWhy::Link { cause: timed_out().into() } },
            presence: Presence::Present,
            standing: Standing::OutOfReach,
            addresses: None,
            busy: Some(OperationId(u64::MAX)),
        },
    }
}

fn operation() -> model::Operation {
    let now = Now { wall: at(2), mono: Duration::from_secs(2) };
    let mut one = model::Operation::record(
        OperationId(5),
        GuestKey { remote: RemoteId(7), vmid: Vmid(101) },
        GuestKind::Ct,
        Some("web".into()),
        "pve1".into(),
        Action::Shutdown,
        PowerOptions { timeout: Some(60), force_stop: None },
        Author { name: "anna".into(), from: "192.0.2.1".into() },
        now,
    );
    one.state = OperationState::NotSent { cause: timed_out() };
    one
}

#[test]
fn a_guest_has_id_name_and_says_why_it_is_not_live() {
    let value = there_and_back(&guest());
    assert_eq!(value["id"], "7/101");
    assert_eq!(value["name"], "web");
    assert_eq!(value["state"], "unknown");
    assert_eq!(value["last_state"], "prelaunch");
    assert_eq!(value["freshness"], "stale");
    let page = Page { items: vec![guest()], total: 1, counts: Counts::default(), revision: 3, unreadable: 0 };
    there_and_back(&page);
}

#[test]
fn a_guest_in_full_carries_what_may_be_done() {
    let detail = GuestDetail {
        guest: guest(),
        actions: vec![
            ActionAvailability { action: Action::Start, availability: Availability::Available },
            ActionAvailability {
                action: Action::Reset,
                availability: Availability::Disabled { reason: "no".into(), remedy: "do".into() },
            },
        ],
        link: Link::of(&link()),
        operation: Some(Operation::of(&operation(), &"home".into())),
        status: Part {
            seen: Some(Observed {
                value: Fields(json!({"status": "running"}).as_object().unwrap().clone()),
                at: at(0),
                through: endpoint(),
            }),
            error: None,
        },
        config: Part { seen: None, error: Some(Cause::from(&timed_out())) },
        pending: Part { seen: None, error: None },
        interfaces: Part { seen: None, error: None },
        open_url: None,
        drift: Vec::new(),
    };
    let value = there_and_back(&detail);
    assert_eq!(value["actions"][1]["availability"], "disabled");
    assert_eq!(value["actions"][1]["remedy"], "do");
    assert_eq!(value["operation"]["id"], "5");
    assert_eq!(value["config"]["error"]["code"], "connect_timeout");
}

#[test]
fn an_operation_names_its_remote_and_its_end() {
    let value = there_and_back(&Operation::of(&operation(), &"home".into()));
    assert_eq!((&value["remote"], &value["remote_id"]), (&json!("home"), &json!(7)));
    assert_eq!(
        (&value["state"], &value["final"], &value["success"]),
        (&json!("not_sent"), &json!(true), &json!(false))
    );
    assert_eq!(value["cause"]["code"], "connect_timeout");
    let asked: OperationRequest =
        serde_json::from_value(json!({"remote": "home", "vmid": 101, "action": "start"})).unwrap();
    assert_eq!(asked.options, PowerOptions::default());
    assert_eq!(serde_json::to_value(Resolve::NotSent {}).unwrap(), json!({"as": "not_sent"}));
    // What contradicts itself is not half heard.
    for odd in [
        json!({"as": "not_sent", "task": "UPID:a:1:2:3:vzstart:101:root@pam:"}),
        json!({"as": "not_sent", "x": 1}),
    ] {
        assert!(serde_json::from_value::<Resolve>(odd).is_err());
    }
    let both = json!({"token": "root@pam!a=b", "user": "root@pam", "password": "x"});
    assert!(serde_json::from_value::<api::onboarding::SignIn>(both).is_err());
}

#[test]
fn a_link_tells_cause_remedy_and_next_try() {
    let value = there_and_back(&Link::of(&link()));
    assert_eq!(value["state"], "backing_off");
    assert_eq!(value["cause"]["endpoint"], "192.0.2.7:8006");
    assert!(value["cause"]["remedy"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(value["next_try"], value["endpoints"][0]["next_try"]);
    let row = RemoteRow {
        id: RemoteId(7),
        name: "home".into(),
        link: Link::of(&link()),
        cluster: None,
        versions: [(endpoint(), "9.2".into())].into(),
        counts: RemoteFigures::default(),
        traffic: rows::Traffic::default(),
        created: Some(at(0)),
        web_url: None,
        open_url: Some("https://192.0.2.7:8006/#v1:0:18:4:::::::".to_owned()),
        same_as: None,
        run_by: None,
    };
    assert_eq!(there_and_back(&row)["versions"]["192.0.2.7:8006"], "9.2");
    let coverage = Coverage::new(FacetKind::Resources, Duration::from_secs(10));
    there_and_back(&CoverageRow::of(&coverage));
}

#[test]
fn a_storage_has_a_name_beside_its_facts() {
    let storage = Storage {
        id: "7/ceph".into(),
        name: "ceph".into(),
        remote_id: RemoteId(7),
        remote: "home".into(),
        nodes: vec!["pve1".into(), "pve2".into()],
        stale_why: None,
        row: StorageRow {
            storage: model::Storage {
                storage: "ceph".into(),
                node: "pve1".into(),
                status: None,
                shared: Some(true),
                plugin: Some("rbd".into()),
                used: Some(1),
                size: None,
                content: vec!["images".into()],
            },
            observed_at: at(0),
            freshness: Freshness::Live,
        },
    };
    there_and_back(&storage);
}

#[test]
fn null_and_absent_are_two_wishes_of_an_edit() {
    let absent: RemoteEdit = serde_json::from_value(json!({})).unwrap();
    assert_eq!(absent, RemoteEdit::default());
    assert_eq!(serde_json::to_value(&absent).unwrap(), json!({}));
    let null: RemoteEdit = serde_json::from_value(json!({"interval_seconds": null})).unwrap();
    assert_eq!(null.interval_seconds, Some(None));
    assert_eq!(serde_json::to_value(&null).unwrap(), json!({"interval_seconds": null}));
    let set: RemoteEdit = serde_json::from_value(json!({"interval_seconds": 30})).unwrap();
    assert_eq!(set.interval_seconds, Some(Some(30.0)));
}

#[test]
fn a_secret_is_written_and_never_shown() {
    let secret = Secret::from("hunter2");
    assert_eq!(serde_json::to_value(&secret).unwrap(), "hunter2");
    let sign_in: api::onboarding::SignIn =
        serde_json::from_value(json!({"user": "root@pam", "password": "hunter2"})).unwrap();
    assert!(!format!("{secret:?} {sign_in:?}").contains("hunter2"));
    let token: api::onboarding::SignIn = serde_json::from_value(json!({"token": "a@pve!b=c"})).unwrap();
    assert!(matches!(token, api::onboarding::SignIn::Token { .. }));
}

#[test]
fn an_account_says_whether_it_has_a_second_factor() {
    use api::account::{Account, AccountTotp, RecoveryCodes, TotpBegun};
    let mut account = Account {
        user: "anna".into(),
        grants: access::Grants::administrator(),
        created: at(0),
        password_set: None,
        last_sign_in: Some(at(1)),
        totp: None,
    };
    assert_eq!(there_and_back(&account)["totp"], Value::Null, "none is said");
    account.totp = Some(AccountTotp { since: at(2), recovery_codes_left: Some(9) });
    assert_eq!(there_and_back(&account)["totp"]["recovery_codes_left"], 9);
    let begun = TotpBegun { secret: "GEZD".into(), uri: "otpauth://x".into(), expires: at(3) };
    let codes = RecoveryCodes { recovery_codes: vec!["abcd-efgh".into()] };
    assert_eq!(there_and_back(&begun)["secret"], "GEZD");
    assert_eq!(there_and_back(&codes)["recovery_codes"], json!(["abcd-efgh"]));
    let shown = format!("{begun:?} {codes:?}");
    assert!(!["GEZD", "otpauth", "abcd"].iter().any(|secret| shown.contains(secret)), "{shown}");
    // Who knows nothing of second factors signs in as before.
    let plain = api::session::SignInRequest { user: "anna".into(), password: "x".into(), code: None };
    assert_eq!(there_and_back(&plain), json!({"user": "anna", "password": "x"}));
}

#[test]
fn preferences_leave_out_what_was_never_set() {
    use api::preferences::{ListPreferences, Preferences, SavedView, Theme};
    assert_eq!(there_and_back(&Preferences::default()), json!({}));
    let view = SavedView {
        name: "busy".into(),
        list: "guests".into(),
        q: "cpu>80%".into(),
        sort: None,
        columns: Some(vec!["name".into()]),
    };
    let all = Preferences {
        theme: Some(Theme::System),
        lists: [("guests".to_owned(), ListPreferences { columns: None, sort: Some("-cpu".into()) })].into(),
        views: vec![view],
        ..Preferences::default()
    };
    let value = there_and_back(&all);
    assert_eq!(value["theme"], "system");
    assert_eq!(value["lists"], json!({"guests": {"sort": "-cpu"}}));
    assert_eq!(
        value["views"],
        json!([{"name": "busy", "list": "guests", "q": "cpu>80%", "columns": ["name"]}])
    );
}

#[test]
fn a_cause_of_a_newer_server_still_says_itself() {
    let newer = json!({
        "code": "tachyons", "sentence": "too many tachyons", "remedy": "Wait.", "needs_person": false,
        "facts": {"cause": "tachyons", "count": 3}
    });
    let cause: Cause = serde_json::from_value(newer).unwrap();
    assert_eq!((cause.code.as_str(), cause.facts), ("tachyons", None));
    let problem: Problem =
        serde_json::from_value(json!({"type": "urn:muster:gone", "title": "t", "status": 404})).unwrap();
    assert_eq!(problem.code(), "gone");
}

#[test]
fn stream_messages_name_themselves() {
    let all = [
        StreamMessage::Hello(Hello {
            stream: "a1".into(),
            resumed: false,
            heartbeat_seconds: 15.0,
            resume_seconds: 600.0,
            at: at(0),
        }),
        StreamMessage::Reset(Reset { why: ResetWhy::Scope, events_after: Some(7) }),
        StreamMessage::Events(Events { items: Vec::new(), up_to: 4 }),
        StreamMessage::List(ListChanges {
            list: "main".into(),
            upserted: ListRows::Guests(vec![guest()]),
            removed: vec!["7/102".into()],
            order: Some(vec!["7/101".into()]),
            total: 1,
            counts: Counts::default(),
            revision: 9,
        }),
        StreamMessage::Bye(Bye { why: ByeWhy::SignedOut }),
    ];
    for message in all {
        assert_eq!(there_and_back(&message)["type"], message.word());
    }
    let subscriptions = Subscriptions {
        topics: Topic::ALL.into(),
        lists: [(
            "main".into(),
            ListSubscription {
                of: ListOf::Guests,
                q: "type:ct".into(),
                sort: "-cpu".into(),
                offset: 0,
                limit: Some(50),
            },
        )]
        .into(),
        events_after: Some(3),
    };
    there_and_back(&subscriptions);
}
