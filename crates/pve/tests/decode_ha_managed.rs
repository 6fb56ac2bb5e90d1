//! The one field whose changing type made other tools call a healthy host unreachable: `ha.managed`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use pve::decode::{self, JsonKind};
use pve::drift::Drift;
use pve::reply::GuestStatus;

/// A container's status with `ha` as given (nothing: no such key).
fn status(ha: Option<&str>) -> (GuestStatus, Drift) {
    let ha = ha.map(|ha| format!("\"ha\":{ha},")).unwrap_or_default();
    let body = format!(
        r#"{{"vmid":101,"name":"web1","status":"running",{ha}"cpu":0.02,"mem":34304000,"uptime":919760,"tags":"a;b"}}"#
    );
    let mut drift = Drift::of("GET /nodes/{node}/lxc/{vmid}/status/current");
    let status = decode::object(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap();
    (status, drift)
}

fn everything_else_is_read(status: &GuestStatus) {
    assert_eq!((status.vmid, status.name.as_deref()), (Some(101), Some("web1")));
    assert_eq!((status.status.as_deref(), status.cpu), (Some("running"), Some(0.02)));
    assert_eq!((status.mem, status.uptime), (Some(34_304_000), Some(919_760)));
    assert_eq!(status.tags.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
}

#[test]
fn every_form_of_managed_is_read_without_drift() {
    for (managed, expected) in [
        ("0", Some(false)),
        ("1", Some(true)),
        ("false", Some(false)),
        ("true", Some(true)),
        ("\"0\"", Some(false)),
        ("\"1\"", Some(true)),
        ("\"\"", Some(false)),
        ("1.0", Some(true)),
        ("null", None),
    ] {
        let (status, drift) = status(Some(&format!("{{\"managed\":{managed}}}")));
        assert_eq!(status.ha_managed(), expected, "managed: {managed}");
        assert!(status.ha.is_some(), "managed: {managed}");
        assert!(drift.is_empty(), "managed: {managed}: {drift:?}");
        everything_else_is_read(&status);
    }
}

#[test]
fn absent_is_unknown_and_no_drift() {
    for ha in [None, Some("null"), Some("{}"), Some(r#"{"state":null}"#)] {
        let (status, drift) = status(ha);
        assert_eq!(status.ha_managed(), None, "ha: {ha:?}");
        assert!(drift.is_empty(), "ha: {ha:?}");
        everything_else_is_read(&status);
    }
}

#[test]
fn a_list_is_drift_of_that_field_and_of_no_other() {
    for (ha, found) in [
        ("[]", JsonKind::List),
        (r#"[{"managed":1}]"#, JsonKind::List),
        ("1", JsonKind::Integer),
        ("\"managed\"", JsonKind::Text),
        ("true", JsonKind::Boolean),
    ] {
        let (status, drift) = status(Some(ha));
        assert_eq!(status.ha, None, "ha: {ha}");
        everything_else_is_read(&status);
        let [record] = &drift.records[..] else { panic!("ha: {ha}: {drift:?}") };
        assert_eq!((record.field.as_str(), record.found, record.count), ("ha", found, 1));
        assert_eq!(record.sample, ha);
        assert!(drift.unreadable.is_empty());
        assert!(!record.to_string().contains("unreachable"), "{record}");
    }
}

#[test]
fn an_odd_managed_is_drift_of_managed_alone() {
    let (status, drift) = status(Some(r#"{"managed":"perhaps","state":"started"}"#));
    assert_eq!(status.ha_managed(), None, "unknown, and neither yes nor no");
    assert_eq!(status.ha.as_ref().and_then(|ha| ha.state.as_deref()), Some("started"));
    assert_eq!(drift.records[0].field, "ha.managed");
    everything_else_is_read(&status);
}
