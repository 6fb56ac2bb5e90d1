//! Presence, lives of a number, capabilities, causes and freshness.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may end itself")]

use std::time::Duration;

use jiff::Timestamp;
use model::capability::{Power, Rule, Situation, rule};
use model::cause::{Reach, ServerClass};
use model::facet::{REST, interval};
use model::presence::{Gate, Inquiry, PermissionsMark, Traits, begins_new_life};
use model::*;
use proptest::prelude::*;

fn at(seconds: u64) -> Now {
    let since = Duration::from_secs(seconds);
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Now { wall: epoch + since, mono: since }
}

const P: Option<PermissionsMark> = Some(PermissionsMark(1));
const Q: Option<PermissionsMark> = Some(PermissionsMark(2));

#[test]
fn deleted_needs_two_complete_listings_unchanged_permissions_and_its_node() {
    type Absences = &'static [(bool, Option<PermissionsMark>, Option<PermissionsMark>)];
    // What the listings were like, whether its node is then asked.
    let table: [(&str, Absences, bool); 9] = [
        ("one listing", &[(true, P, P)], false),
        ("two listings", &[(true, P, P), (true, P, P)], true),
        ("the second one incomplete", &[(true, P, P), (false, P, P)], false),
        ("the first one incomplete", &[(false, P, P), (true, P, P)], false),
        ("incomplete, then two", &[(false, P, P), (true, P, P), (true, P, P)], true),
        ("permissions changed in the first", &[(true, P, Q), (true, Q, Q)], false),
        ("permissions changed before the second", &[(true, P, P), (true, Q, Q)], false),
        ("permissions changed, then two", &[(true, P, Q), (true, Q, Q), (true, Q, Q)], true),
        ("permissions could not be read", &[(true, P, None), (true, None, P), (true, None, None)], false),
    ];
    for (what, absences, asks) in table {
        let mut presence = Presence::Present;
        for (complete, before, after) in absences {
            presence = presence.absent(*complete, *before, *after, at(1));
            assert!(matches!(presence, Presence::Missing { .. }), "{what}: it stays shown");
        }
        assert_eq!(presence.asks(), asks, "{what}");
        let asked = presence.clone().asked(Inquiry::DoesNotExist, at(2));
        assert_eq!(matches!(asked, Presence::Deleted { .. }), asks, "{what}");
        for said in [Inquiry::Exists, Inquiry::NoAnswer] {
            let asked = presence.clone().asked(said, at(2));
            assert!(matches!(asked, Presence::Missing { .. }), "{what}: {said:?}");
        }
        let hidden = presence.clone().asked(Inquiry::Forbidden, at(2));
        assert_eq!(hidden, Presence::NoLongerVisible { since: at(1).wall }, "{what}");
        assert_eq!(presence.listed(), Presence::Present, "{what}: it is back");
    }
}

#[test]
fn what_is_hidden_is_asked_for_again_once_permissions_change() {
    let hidden = Presence::NoLongerVisible { since: at(1).wall };
    assert_eq!(hidden.clone().absent(true, P, P, at(2)), hidden);
    let mut again = hidden.permissions_changed();
    for _ in 0..2 {
        again = again.absent(true, Q, Q, at(3));
    }
    assert!(again.asks());
}

#[test]
fn a_late_answer_is_dropped() {
    let mut gate = Gate::default();
    let s = Duration::from_secs;
    let admitted: Vec<bool> = [s(5), s(4), s(5), s(6), s(2)].into_iter().map(|b| gate.admit(b)).collect();
    assert_eq!(admitted, [true, false, true, true, false]);
}

#[test]
fn a_reused_number_is_told_by_kind_ctime_or_genid() {
    let traits = |kind, ctime, genid: Option<&str>| Traits { kind, ctime, vmgenid: genid.map(Into::into) };
    let known = traits(Some(GuestKind::Vm), Some(5), Some("a"));
    for (seen, same) in [
        (traits(None, None, None), true),
        (traits(Some(GuestKind::Vm), None, None), true),
        (traits(Some(GuestKind::Ct), None, None), false),
        (traits(None, Some(5), None), true),
        (traits(None, Some(6), None), false),
        (traits(None, None, Some("b")), false),
    ] {
        assert_eq!(known.may_be(&seen), same, "{seen:?}");
    }
    for (task, new) in [("vzcreate", true), ("qmrestore", true), ("vzdestroy", true), ("vzstart", false)] {
        assert_eq!(begins_new_life(task), new, "{task}");
    }
}

#[derive(Clone)]
struct Case {
    kind: GuestKind,
    state: GuestState,
    link: LinkState,
    presence: Presence,
    node_state: Option<NodeState>,
    quorate: Option<bool>,
    template: bool,
    lock: Option<Text>,
    busy: Option<OperationId>,
    rights: Option<Rights>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            kind: GuestKind::Vm,
            state: GuestState::Stopped,
            link: LinkState::Connected,
            presence: Presence::Present,
            node_state: Some(NodeState::Online),
            quorate: Some(true),
            template: false,
            lock: None,
            busy: None,
            rights: None,
        }
    }
}

impl Case {
    fn ask(&self, action: Action) -> Availability {
        let node: NodeName = "pve1".into();
        let situation = Situation {
            kind: self.kind,
            state: &self.state,
            last_seen: Some(at(0).wall),
            template: self.template,
            lock: self.lock.as_ref(),
            presence: &self.presence,
            node: &node,
            node_state: self.node_state.as_ref(),
            quorate: self.quorate,
            link: &self.link,
            busy: self.busy,
            rights: self.rights,
        };
        capability(action, &situation, at(180))
    }

    /// One letter an action: yes, maybe, no.
    fn letters(&self) -> String {
        Action::ALL
            .into_iter()
            .map(|action| match self.ask(action) {
                Availability::Available => 'y',
                Availability::MayFail { why } => {
                    assert!(!why.is_empty());
                    'm'
                }
                Availability::Disabled { reason, remedy } => {
                    assert!(!reason.is_empty() && !remedy.is_empty());
                    'n'
                }
            })
            .collect()
    }
}

#[test]
fn the_capability_table() {
    use GuestKind::{Ct, Vm};
    // start, shutdown, stop, reboot, reset, suspend, hibernate, resume
    let by_state = [
        (Vm, "running", "nyyyyyyn"),
        (Vm, "stopped", "ynnnnnnn"),
        (Vm, "paused", "nnynynny"),
        (Vm, "suspended", "nnynynny"),
        (Vm, "unknown", "mmmmmmmm"),
        (Vm, "internal-error", "mmmmmmmm"),
        (Ct, "running", "nyyynmnn"),
        (Ct, "stopped", "ynnnnnnm"),
        (Ct, "paused", "nnynnnnm"),
        (Ct, "unknown", "mmmmnmnm"),
    ];
    for (kind, state, expected) in by_state {
        let case = Case { kind, state: GuestState::from_word(state), ..Case::default() };
        assert_eq!(case.letters(), expected, "{kind} {state}");
    }
}

#[test]
fn what_stands_in_the_way_beside_the_state() {
    let may_pass = LinkState::BackingOff { cause: Cause::Refused, next_try: at(0).wall };
    let by_person = |cause: Cause| LinkState::BackingOff { cause, next_try: at(0).wall };
    let untrusted = by_person(Cause::UntrustedCertificate { presented: "AA".into(), why: String::new() });
    let rejected = LinkState::CredentialsRejected {
        cause: Cause::CredentialsRejected { reason: String::new() },
        next_try: None,
    };
    let changed = LinkState::CertificateChanged {
        cause: Cause::CertificateChanged { expected: "A".into(), presented: "B".into() },
    };
    let table: Vec<(&str, Case, char)> = vec![
        ("nothing", Case::default(), 'y'),
        ("degraded", Case { link: LinkState::Degraded { failing: vec![] }, ..Case::default() }, 'y'),
        ("connecting", Case { link: LinkState::Connecting { last: None }, ..Case::default() }, 'm'),
        ("may pass", Case { link: may_pass.clone(), ..Case::default() }, 'm'),
        ("may pass, running", Case { link: may_pass, state: GuestState::Running, ..Case::default() }, 'm'),
        ("untrusted", Case { link: untrusted, ..Case::default() }, 'n'),
        ("rejected", Case { link: rejected, ..Case::default() }, 'n'),
        ("changed", Case { link: changed, ..Case::default() }, 'n'),
        ("disconnected", Case { link: LinkState::Disconnected { by: "a".into() }, ..Case::default() }, 'n'),
        ("node down", Case { node_state: Some(NodeState::Offline), ..Case::default() }, 'm'),
        ("no quorum", Case { quorate: Some(false), ..Case::default() }, 'm'),
        ("template", Case { template: true, ..Case::default() }, 'n'),
        ("busy", Case { busy: Some(OperationId(1)), ..Case::default() }, 'n'),
        ("locked", Case { lock: Some("backup".into()), ..Case::default() }, 'm'),
        ("hibernated", Case { lock: Some("suspended".into()), ..Case::default() }, 'y'),
        ("deleted", Case { presence: Presence::Deleted { at: at(0).wall }, ..Case::default() }, 'n'),
        (
            "hidden",
            Case { presence: Presence::NoLongerVisible { since: at(0).wall }, ..Case::default() },
            'n',
        ),
        ("missing", Case { presence: Presence::Present.absent(true, P, P, at(0)), ..Case::default() }, 'm'),
    ];
    for (what, case, expected) in table {
        assert_eq!(case.letters().chars().next(), Some(expected), "{what}");
    }
    let hibernated = Case { lock: Some("suspended".into()), ..Case::default() };
    assert_eq!(hibernated.letters(), "ynnnnnny", "it may be resumed as well");
    // What Muster's own token is known to lack.
    let running = |rights| Case { state: GuestState::Running, rights, ..Case::default() }.letters();
    assert_eq!(running(Some(Rights::Look)), "nmmmmmmn");
    assert_eq!(running(Some(Rights::Operate)), "nyyyyymn");
    assert_eq!(running(Some(Rights::SameAsUser)), running(None));
    // What is so already is nothing to do, and said in these words.
    let case = |kind, state: &str| Case { kind, state: GuestState::from_word(state), ..Case::default() };
    let fulfilled = [
        (case(GuestKind::Ct, "running"), Action::Start),
        (case(GuestKind::Ct, "running"), Action::Resume),
        (case(GuestKind::Vm, "running"), Action::Resume),
        (case(GuestKind::Vm, "stopped"), Action::Stop),
        (case(GuestKind::Ct, "stopped"), Action::Shutdown),
        (case(GuestKind::Vm, "paused"), Action::Suspend),
        (hibernated.clone(), Action::Hibernate),
        (hibernated, Action::Suspend),
    ];
    for (case, action) in fulfilled {
        let Availability::Disabled { reason, remedy } = case.ask(action) else { panic!("{action}") };
        assert!(reason.ends_with(" already"), "{action}: {reason}");
        assert_eq!(remedy, "Nothing to do.", "{action}");
    }
    let Availability::Disabled { remedy, .. } = case(GuestKind::Vm, "stopped").ask(Action::Resume) else {
        panic!()
    };
    assert_eq!(remedy, "Start it.");
    let Availability::MayFail { why } = (Case {
        link: LinkState::BackingOff { cause: Cause::Refused, next_try: at(0).wall },
        ..Case::default()
    })
    .ask(Action::Start) else {
        panic!()
    };
    assert!(why.starts_with("may fail: last seen 3 min ago: connection refused"), "{why}");
}

#[test]
fn every_combination_has_a_rule_and_every_no_has_words() {
    for kind in [GuestKind::Ct, GuestKind::Vm] {
        for action in Action::ALL {
            for power in [Power::Running, Power::Stopped, Power::Paused, Power::Suspended] {
                if let Rule::No(reason, remedy) = rule(kind, action, power) {
                    assert!(!reason.is_empty() && !remedy.is_empty());
                }
            }
        }
    }
}

fn all_causes() -> Vec<Cause> {
    let text = || "their own words".to_owned();
    let after = Duration::from_secs(5);
    let node = Some(NodeName::from("pve2"));
    let mut all = vec![
        Cause::Dns { text: text() },
        Cause::Refused,
        Cause::Unreachable { text: text() },
        Cause::ConnectTimeout { after },
        Cause::TlsFailure { text: text() },
        Cause::UntrustedCertificate { presented: "AA:BB".into(), why: text() },
        Cause::CertificateChanged { expected: "AA".into(), presented: "BB".into() },
        Cause::NoAnswer { after },
        Cause::AnswerCut { text: text() },
        Cause::NotHttp { text: text() },
        Cause::NotProxmox { seen: text() },
        Cause::CredentialsRejected { reason: text() },
        Cause::SecondFactorNeeded { kinds: vec!["totp".into()] },
        Cause::PrivilegeMissing {
            path: "/vms/100".into(),
            privileges: vec!["VM.Audit".into()],
            text: text(),
        },
        Cause::NotUnderstood { what: text() },
        Cause::NodeDown { node: node.clone(), text: text() },
        Cause::NodeNoAnswer { node, text: text() },
        Cause::NotSupported { text: text() },
        Cause::ParametersRejected { text: text() },
        Cause::TooLarge { limit: 4 },
        Cause::NotSendable { what: text() },
        Cause::RunElsewhere { process: text(), address: Some(text()) },
        Cause::Unattended { text: text() },
        Cause::Disconnected { by: "ada".into() },
        Cause::Internal { text: text() },
    ];
    for class in [
        ServerClass::NotFound,
        ServerClass::Locked,
        ServerClass::NoQuorum,
        ServerClass::Conflict,
        ServerClass::Exists,
        ServerClass::Other,
    ] {
        all.push(Cause::ServerError { status: 500, class, text: text() });
    }
    all
}

#[test]
fn every_cause_has_its_own_sentence_a_remedy_and_a_code() {
    let mut sentences = std::collections::BTreeSet::new();
    for cause in all_causes() {
        let (sentence, remedy) = (cause.sentence(), cause.remedy());
        assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{sentence}");
        assert!(remedy.ends_with('.') && remedy.len() > 10, "{remedy}");
        if !matches!(cause, Cause::ServerError { .. }) {
            assert!(sentences.insert(sentence.clone()), "shared: {sentence}");
        }
        // Promise 3: a decode problem, or anything else that is none, is never called unreachable.
        assert!(!sentence.contains("unreachable"), "{sentence}");
        let json = serde_json::to_value(&cause).unwrap();
        assert_eq!(json["cause"].as_str(), Some(cause.code()), "the code is the word in JSON");
        if matches!(cause.reach(), Reach::Credential | Reach::Certificate) {
            assert!(cause.needs_person());
        }
    }
}

#[test]
fn link_states_write_themselves_as_the_contracts_name_them() {
    let endpoints = vec![EndpointId::from("pve1:8006")];
    let link =
        Link::new(endpoints, link::Login::Token, Duration::from_secs(10), link::Policy::default(), at(0));
    let json = serde_json::to_value(link.view()).unwrap();
    assert_eq!(json["state"], "connecting");
    let state = LinkState::BackingOff { cause: Cause::Refused, next_try: at(9).wall };
    let json = serde_json::to_value(&state).unwrap();
    assert_eq!((&json["state"], &json["cause"]), (&"backing_off".into(), &"refused".into()));
}

#[test]
fn the_poll_interval_leaves_the_remote_nineteen_twentieths_of_its_time() {
    let s = Duration::from_secs;
    assert_eq!(interval(s(10), Duration::from_millis(80), REST), s(10));
    assert_eq!(interval(s(10), s(2), REST), s(40));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn exit_texts_are_read_without_losing_any(text in "\\PC{0,60}") {
        match TaskOutcome::from_exit(&text) {
            TaskOutcome::Ok => prop_assert_eq!(text.trim(), "OK"),
            TaskOutcome::Warnings { .. } => prop_assert!(text.trim().starts_with("WARNINGS:")),
            TaskOutcome::Failed { text: kept } => prop_assert_eq!(kept.as_str(), text.trim()),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

/// Fails on an object that has a key twice, which flattening can bring about unnoticed.
struct NoTwins;

impl<'de> serde::de::DeserializeSeed<'de> for NoTwins {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> serde::de::Visitor<'de> for NoTwins {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
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

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(NoTwins)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = std::collections::BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            assert!(keys.insert(key.clone()), "the key {key:?} stands twice");
            map.next_value_seed(NoTwins)?;
        }
        Ok(())
    }
}

fn no_twins(value: &impl serde::Serialize) {
    let json = serde_json::to_string(value).unwrap();
    let mut from = serde_json::Deserializer::from_str(&json);
    serde::de::DeserializeSeed::deserialize(NoTwins, &mut from).unwrap();
}

#[test]
fn nothing_is_written_with_a_key_twice() {
    use model::link::{EndpointView, FailingEndpoint, Health};
    use model::operation::{FailedWhy, UnknownWhy};
    let mut operation = Operation::record(
        OperationId(1),
        GuestKey { remote: RemoteId(1), vmid: Vmid(101) },
        GuestKind::Ct,
        None,
        "pve1".into(),
        Action::Start,
        PowerOptions::default(),
        Author { name: "ada".into(), from: "cli".into() },
        at(0),
    );
    for cause in all_causes() {
        no_twins(&Failure { cause: cause.clone(), endpoint: Some("a:8006".into()), at: at(0).wall });
        let since = at(0).wall;
        let failing =
            Health::Failing { cause: cause.clone(), since, failures: 1, next_try: since, due: at(0).mono };
        for state in [
            LinkState::Connecting { last: Some(cause.clone()) },
            LinkState::BackingOff { cause: cause.clone(), next_try: since },
            LinkState::CredentialsRejected { cause: cause.clone(), next_try: Some(since) },
            LinkState::CertificateChanged { cause: cause.clone() },
            LinkState::Degraded {
                failing: vec![FailingEndpoint { endpoint: "a:8006".into(), cause: cause.clone() }],
            },
        ] {
            let endpoint = EndpointView {
                endpoint: "a:8006".into(),
                health: failing.clone(),
                last_success: None,
                in_use: true,
            };
            let stale = StaleWhy::Link { cause: std::sync::Arc::new(cause.clone()) };
            no_twins(&Freshness::Stale { since, why: stale });
            no_twins(&LinkView {
                state,
                since,
                down_since: None,
                last_success: None,
                endpoints: vec![endpoint],
            });
        }
        for state in [
            OperationState::NotSent { cause: cause.clone() },
            OperationState::Failed(FailedWhy::Refused { cause: cause.clone() }),
            OperationState::OutcomeUnknown(UnknownWhy::Lost { cause: cause.clone() }),
            OperationState::OutcomeUnknown(UnknownWhy::Node { node: "pve2".into(), cause }),
        ] {
            operation.state = state;
            no_twins(&operation);
        }
    }
}
