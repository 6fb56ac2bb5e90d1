//! Every typed call stands in the catalogue: its path in every release, and each of its parameters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use catalogue::{Catalogue, Method, Release};
use pve::GuestKind;
use pve::call::access::{AclChange, AclSubject, TokenOptions};
use pve::call::cluster::ResourceType;
use pve::call::guest::{Consolidation, Power, PowerOptions, Timeframe};
use pve::call::task::{TaskQuery, TaskSource};
use pve::call::{Call, access, cluster, guest, node, storage, task};
use pve::upid::Upid;

/// A call without its answer: what it asks for.
struct Asked {
    method: Method,
    template: String,
    path: String,
    params: Vec<&'static str>,
}

fn asked<T>(call: Call<T>) -> Asked {
    assert!(!call.path().is_empty(), "{call:?} is invalid");
    Asked {
        method: call.method(),
        template: call.template().to_owned(),
        path: call.path().to_owned(),
        params: call.parameters().collect(),
    }
}

/// Segment values as odd as they come.
const NODE: &str = "pve-1.ex/ample ü";
const USER: &str = "al/ice@example.com@ldap";
const TOKEN: &str = "muster-1.a";
const ROLE: &str = "Muster.Look-2";
const UPID: &str = "UPID:pve1:0000ABCD:00001234:6B022481:vzdump::alice@pve!ci/x:";

/// Every typed call with every parameter it has.
fn every_call() -> Vec<Asked> {
    let upid: Upid = UPID.parse().unwrap();
    let query = TaskQuery {
        start: Some(1),
        limit: Some(2),
        vmid: Some(100),
        errors: Some(true),
        source: Some(TaskSource::All),
        kind: Some("vzstart".to_owned()),
        user: Some("root@pam".to_owned()),
        since: Some(1),
        until: Some(2),
    };
    let token = TokenOptions { comment: Some("c".to_owned()), expire: Some(1), privsep: Some(false) };
    let line = |subject| AclChange {
        path: "/".to_owned(),
        role: ROLE.to_owned(),
        subject,
        propagate: Some(true),
        delete: true,
    };
    let mut calls = vec![
        asked(access::version()),
        asked(access::domains()),
        asked(access::permissions()),
        asked(access::user(USER)),
        asked(access::tokens(USER)),
        asked(access::token(USER, TOKEN)),
        asked(access::token_create(USER, TOKEN, &token)),
        asked(access::token_update(USER, TOKEN, &token)),
        asked(access::token_delete(USER, TOKEN)),
        asked(access::roles()),
        asked(access::role(ROLE)),
        asked(access::role_create(ROLE, &["VM.Audit"])),
        asked(access::role_update(ROLE, &["VM.Audit"], true)),
        asked(access::role_delete(ROLE)),
        asked(access::acl()),
        asked(access::acl_change(&line(AclSubject::User(USER.to_owned())))),
        asked(access::acl_change(&line(AclSubject::Group("devs".to_owned())))),
        asked(access::acl_change(&line(AclSubject::Token(format!("{USER}!{TOKEN}"))))),
        asked(cluster::status()),
        asked(cluster::resources(Some(ResourceType::Sdn))),
        asked(cluster::tasks()),
        asked(cluster::next_id(Some(100))),
        asked(cluster::ha_status()),
        asked(node::list()),
        asked(node::status(NODE)),
        asked(node::certificates(NODE)),
        asked(node::rrd(NODE, Timeframe::Day, Consolidation::Maximum)),
        asked(storage::content(NODE, "lo/cal")),
        asked(storage::rrd(NODE, "lo/cal", Timeframe::Day, Consolidation::Average)),
        asked(task::list(NODE, &query)),
        asked(task::status(NODE, &upid)),
        asked(task::log(NODE, &upid, 0, 50)),
        asked(task::stop(NODE, &upid)),
    ];
    for kind in [GuestKind::Ct, GuestKind::Vm] {
        calls.extend([
            asked(guest::list(NODE, kind)),
            asked(guest::status(NODE, kind, 100)),
            asked(guest::config(NODE, kind, 100, true)),
            asked(guest::pending(NODE, kind, 100)),
            asked(guest::addresses(NODE, kind, 100)),
            asked(guest::rrd(NODE, kind, 100, Timeframe::Hour, Consolidation::Average)),
        ]);
        let options = every_option(kind);
        for action in Power::ALL.into_iter().filter(|action| action.applies_to(kind)) {
            calls.push(asked(guest::power(NODE, kind, 100, action, &options(action))));
        }
    }
    calls
}

/// Every option that the action of this kind of guest knows.
fn every_option(kind: GuestKind) -> impl Fn(Power) -> PowerOptions {
    move |action| {
        let vm = kind == GuestKind::Vm;
        let timed = match action {
            Power::Shutdown | Power::Reboot => true,
            Power::Start | Power::Stop => vm,
            _ => false,
        };
        PowerOptions {
            timeout: timed.then_some(60),
            force_stop: (action == Power::Shutdown).then_some(true),
            overrule_shutdown: (action == Power::Stop).then_some(true),
            to_disk: (vm && action == Power::Suspend).then_some(true),
        }
    }
}

#[test]
fn every_path_is_known_in_every_release() {
    let catalogue = Catalogue::builtin();
    let calls = every_call();
    assert!(calls.len() > 35);
    for call in calls {
        let endpoint = catalogue
            .get(call.method, &call.template)
            .unwrap_or_else(|| panic!("{} {} is not in the catalogue", call.method, call.template));
        for release in Release::KNOWN {
            // A container could not be asked for its interfaces before 8.
            if release < Release::V8_4 && call.template.ends_with("/interfaces") {
                continue;
            }
            assert!(endpoint.exists_in(release), "{} {} in {release}", call.method, call.template);
            let found = catalogue.resolve(release, call.method, &call.path).unwrap();
            assert_eq!(found.endpoint.path, call.template, "{}", call.path);
            for (name, value) in &found.segments {
                let wanted = match *name {
                    "node" => NODE,
                    "upid" => UPID,
                    "vmid" => "100",
                    "userid" => USER,
                    "tokenid" => TOKEN,
                    "roleid" => ROLE,
                    "storage" => "lo/cal",
                    other => panic!("{other}"),
                };
                assert_eq!(value, wanted);
            }
        }
    }
}

#[test]
fn every_parameter_is_known() {
    let catalogue = Catalogue::builtin();
    let mut checked = 0;
    for call in every_call() {
        let endpoint = catalogue.get(call.method, &call.template).unwrap();
        for name in call.params {
            let since = match name {
                "overrule-shutdown" => Release::V8_4,
                "since" | "until" => Release::V7_4,
                _ => Release::V6_4,
            };
            for release in Release::KNOWN.into_iter().filter(|release| *release >= since) {
                assert!(
                    endpoint.accepts(release, name).is_some(),
                    "{} {} has no {name} in {release}",
                    call.method,
                    call.template
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 25, "{checked}");
}
