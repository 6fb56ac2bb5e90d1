//! What is stored and sent comes back as it was.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::cause::ServerClass;
use model::facet::{Coverage, Parts};
use model::link::{EndpointView, FailingEndpoint, Health};
use model::operation::{Dispatch, Event as Step, FailedWhy, Rules, UnknownWhy};
use model::presence::Traits;
use model::rows::{GuestRow, Interface, NodeRow, Standing, StorageRow};
use model::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let again: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(*value, again, "{text}");
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

fn causes() -> Vec<Cause> {
    let text = || "so \"it\" says".to_owned();
    vec![
        Cause::Dns { text: text() },
        Cause::Refused,
        Cause::Unreachable { text: text() },
        Cause::ConnectTimeout { after: Duration::from_millis(1500) },
        Cause::TlsFailure { text: text() },
        Cause::UntrustedCertificate { presented: "AA".into(), why: text() },
        Cause::CertificateChanged { expected: "AA".into(), presented: "BB".into() },
        Cause::NoAnswer { after: Duration::from_secs(30) },
        Cause::AnswerCut { text: text() },
        Cause::NotHttp { text: text() },
        Cause::NotProxmox { seen: text() },
        Cause::CredentialsRejected { reason: text() },
        Cause::SecondFactorNeeded { kinds: vec!["totp".into()] },
        Cause::PrivilegeMissing { path: "/".into(), privileges: vec!["Sys.Audit".into()], text: text() },
        Cause::ServerError { status: 500, class: ServerClass::NoQuorum, text: text() },
        Cause::NotUnderstood { what: text() },
        Cause::NodeDown { node: Some("pve1".into()), text: text() },
        Cause::NodeNoAnswer { node: None, text: text() },
        Cause::NotSupported { text: text() },
        Cause::ParametersRejected { text: text() },
        Cause::TooLarge { limit: u64::MAX },
        Cause::NotSendable { what: text() },
        Cause::RunElsewhere { process: text(), address: Some(text()) },
        Cause::Unattended { text: text() },
        Cause::Disconnected { by: "ada".into() },
        Cause::Internal { text: text() },
    ]
}

fn links() -> Vec<LinkState> {
    let mut all = vec![
        LinkState::Disconnected { by: "ada".into() },
        LinkState::Connecting { last: None },
        LinkState::Connected,
    ];
    for cause in causes() {
        let failing = vec![FailingEndpoint { endpoint: "a:8006".into(), cause: cause.clone() }];
        all.push(LinkState::Degraded { failing });
        all.push(LinkState::Connecting { last: Some(cause.clone()) });
        all.push(LinkState::BackingOff { cause: cause.clone(), next_try: at(5) });
        all.push(LinkState::CredentialsRejected { cause: cause.clone(), next_try: None });
        all.push(LinkState::CertificateChanged { cause });
    }
    all
}

fn guest() -> Guest {
    Guest {
        name: Some("web".into()),
        state: GuestState::Other("prelaunch".into()),
        template: Some(false),
        cpu: Some(0.1),
        cpus: Some(2.0),
        memory: Some(u64::MAX),
        tags: ["a".into(), "b".into()].into(),
        lock: Some("backup".into()),
        ..Guest::bare(GuestKind::Ct, Vmid(101), "pve1".into())
    }
}

#[test]
fn causes_and_links() {
    for cause in causes() {
        back(&cause);
        back(&Failure { cause: cause.clone(), endpoint: Some("a:8006".into()), at: at(0) });
        back(&StaleWhy::Link { cause: Arc::new(cause) });
    }
    for state in links() {
        back(&state);
        // The node of a failure that concerns one endpoint never stands beside another field of that name.
        back(&LinkView {
            state: state.clone(),
            since: at(1),
            down_since: Some(at(1)),
            last_success: None,
            endpoints: vec![
                EndpointView {
                    endpoint: "a:8006".into(),
                    health: Health::Failing {
                        cause: state.cause().cloned().unwrap_or(Cause::Refused),
                        since: at(2),
                        failures: 3,
                        next_try: at(4),
                        due: Duration::ZERO,
                    },
                    last_success: Some(at(0)),
                    in_use: true,
                },
                EndpointView {
                    endpoint: "b:8006".into(),
                    health: Health::Good,
                    last_success: None,
                    in_use: false,
                },
            ],
        });
    }
}

#[test]
fn rows_of_every_standing_and_freshness() {
    let whys = [
        StaleWhy::Link { cause: Arc::new(Cause::Refused) },
        StaleWhy::Disconnected { by: "ada".into() },
        StaleWhy::NodeDown { node: "pve1".into() },
        StaleWhy::StateUnknown,
        StaleWhy::Facet { cause: Arc::new(Cause::NotUnderstood { what: "x".into() }) },
        StaleWhy::Overdue,
    ];
    let mut freshnesses = vec![Freshness::Live, Freshness::NeverSeen];
    freshnesses.extend(whys.into_iter().map(|why| Freshness::Stale { since: at(3), why }));
    let standings = [
        Standing::Known { state: GuestState::Running },
        Standing::Known { state: GuestState::Other("internal-error".into()) },
        Standing::NodeDown { node: "pve1".into() },
        Standing::OutOfReach,
        Standing::Deleted,
    ];
    let presences = [
        Presence::Present,
        Presence::Missing { since: at(0), listings: 1, mark: None },
        Presence::Deleted { at: at(1) },
        Presence::NoLongerVisible { since: at(2) },
    ];
    for freshness in &freshnesses {
        for standing in &standings {
            for presence in &presences {
                back(&GuestRow {
                    state: GuestState::Unknown,
                    guest: guest(),
                    incarnation: Incarnation(2),
                    observed_at: Some(at(0)),
                    through: Some("a:8006".into()),
                    freshness: freshness.clone(),
                    presence: presence.clone(),
                    standing: standing.clone(),
                    addresses: Some(Arc::new(Observed {
                        value: [Interface {
                            name: "eth0".into(),
                            mac: None,
                            addresses: vec!["10.0.0.5/24".into()],
                        }]
                        .as_slice()
                        .into(),
                        at: at(0),
                        through: "a:8006".into(),
                    })),
                    busy: Some(OperationId(u64::MAX)),
                });
            }
        }
        let node = Node {
            state: NodeState::Other("odd".into()),
            load: vec!["0.1".into()],
            ..Node::bare("n".into())
        };
        back(&NodeRow { node, observed_at: None, through: None, freshness: freshness.clone() });
        let storage = Storage {
            storage: "local".into(),
            node: "n".into(),
            status: None,
            shared: Some(true),
            plugin: None,
            used: Some(1),
            size: None,
            content: vec!["iso".into()],
        };
        back(&StorageRow { storage, observed_at: at(0), freshness: freshness.clone() });
    }
}

#[test]
fn facets_tasks_and_traits() {
    let mut coverage = Coverage::new(FacetKind::Tasks, Duration::from_millis(10_500));
    back(&coverage);
    coverage.took = Some(Duration::from_millis(120));
    coverage.parts = Some(Parts { known: 1, due: 2 });
    coverage.last_error = Some(Failure { cause: Cause::Refused, endpoint: None, at: at(0) });
    back(&coverage);
    back(&Traits { kind: Some(GuestKind::Vm), ctime: Some(5), vmgenid: Some("x".into()) });
    let outcomes = [
        TaskOutcome::Running,
        TaskOutcome::Ok,
        TaskOutcome::Warnings { count: Some(2) },
        TaskOutcome::Failed { text: "no".into() },
        TaskOutcome::Unknown,
    ];
    for outcome in outcomes {
        back(&Task {
            upid: "UPID:x".into(),
            node: "n".into(),
            kind: "vzstart".into(),
            id: "101".into(),
            user: "root@pam".into(),
            started: at(0),
            ended: Some(at(1)),
            outcome,
        });
    }
}

fn operation(state: OperationState) -> Operation {
    let now = Now { wall: at(0), mono: Duration::ZERO };
    let author = Author { name: "ada".into(), from: "cli".into() };
    let key = GuestKey { remote: RemoteId(7), vmid: Vmid(101) };
    let options = PowerOptions { timeout: Some(5), force_stop: None };
    let mut operation = Operation::record(
        OperationId(u64::MAX - 1),
        key,
        GuestKind::Ct,
        Some("web".into()),
        "pve1".into(),
        Action::Shutdown,
        options,
        author,
        now,
    );
    let dispatch = Dispatch {
        at: at(1),
        endpoint: "a:8006".into(),
        user: "u".into(),
        skew_ms: -3,
        mono: Duration::ZERO,
    };
    operation.step(Step::Sending(dispatch), &Rules::default(), now);
    operation.state = state;
    operation
}

#[test]
fn operations_in_every_state() {
    let cause = || Cause::NodeDown { node: Some("pve1".into()), text: "x".into() };
    for state in [
        OperationState::Pending,
        OperationState::Sent,
        OperationState::Running,
        OperationState::HandedToHa,
        OperationState::Succeeded,
        OperationState::SucceededWithWarnings { count: None },
        OperationState::Failed(FailedWhy::Refused { cause: cause() }),
        OperationState::Failed(FailedWhy::Task { exit: "boom".into() }),
        OperationState::Failed(FailedWhy::Ha),
        OperationState::Cancelled,
        OperationState::NotSent { cause: cause() },
        OperationState::OutcomeUnknown(UnknownWhy::Lost { cause: cause() }),
        OperationState::OutcomeUnknown(UnknownWhy::Candidates { tasks: vec!["a".into()] }),
        OperationState::OutcomeUnknown(UnknownWhy::Node { node: "pve1".into(), cause: cause() }),
        OperationState::OutcomeUnknown(UnknownWhy::Ha),
    ] {
        back(&operation(state));
    }
}

/// The clock that measured the wait is gone with its process: waiting begins anew, lest too little of it prove
/// that nothing arrived.
#[test]
fn an_operation_taken_up_again_waits_its_whole_time() {
    let text = serde_json::to_string(&operation(OperationState::Sent)).unwrap();
    let read: Operation = serde_json::from_str(&text).unwrap();
    let now = Now { wall: at(3600), mono: Duration::from_secs(9) };
    let again = read.restored(now);
    assert_eq!(again.dispatch.unwrap().mono, now.mono);
}

#[test]
fn events_of_every_kind() {
    let changes = || vec![ConfigChange { key: "cores".into(), from: Some("1".into()), to: None }];
    let mut all = vec![
        Happening::GuestAppeared { state: GuestState::Running, name: Some("web".into()) },
        Happening::GuestState { from: GuestState::Running, to: GuestState::Other("x".into()) },
        Happening::GuestMoved { from: "a".into(), to: "b".into() },
        Happening::GuestRenamed { from: None, to: Some("b".into()) },
        Happening::GuestReshaped { changes: changes() },
        Happening::GuestConfig { changes: changes() },
        Happening::GuestInDoubt { node_down: Some("a".into()) },
        Happening::GuestCertain,
        Happening::GuestPresence { presence: Presence::Deleted { at: at(0) } },
        Happening::GuestReborn,
        Happening::NodeAppeared { state: NodeState::Online },
        Happening::NodeState { from: NodeState::Online, to: NodeState::Offline },
        Happening::NodeMissing,
        Happening::NodeBack,
        Happening::NodeRenamed { from: "a".into() },
        Happening::Quorum { quorate: false },
        Happening::Operation { action: Action::Start, state: "running".into(), text: "it runs".into() },
        Happening::TaskEndAsked,
        Happening::RemoteAdded { name: "lab".into() },
        Happening::RemoteEdited { changes: changes() },
        Happening::RemoteRemoved { name: "lab".into() },
        Happening::RemoteConnected,
        Happening::RemoteDisconnected,
        Happening::RemoteTrusted { endpoint: "a:8006".into(), trust: "leaf".into() },
        Happening::RemoteCredential { user: "root@pam".into() },
        Happening::RemoteSameAs { other: "home".into() },
    ];
    all.extend(links().into_iter().map(|link| Happening::Link { link }));
    for word in Happening::WORDS {
        assert!(all.iter().any(|what| what.word() == word), "{word}");
    }
    for what in all {
        assert!(!what.sentence().is_empty());
        assert!(Happening::WORDS.contains(&what.word()), "{}", what.word());
        let json = serde_json::to_value(&what).unwrap();
        assert_eq!(json["type"], what.word(), "{json}");
        let author = Author { name: "ada".into(), from: "cli".into() };
        back(&Event::of(RemoteId(1), at(0), what.clone()));
        back(&Event {
            seq: EventSeq(9),
            vmid: Some(Vmid(101)),
            incarnation: Some(Incarnation(1)),
            node: Some("pve1".into()),
            operation: Some(OperationId(5)),
            task: Some("UPID:x".into()),
            ..Event::of(RemoteId(1), at(0), what).by(&author)
        });
    }
}
