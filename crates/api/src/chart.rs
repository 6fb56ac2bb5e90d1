//! Measurements over time: `GET /guests/{remote}/{vmid}/chart` and the same of nodes and storages.

use jiff::Timestamp;
use model::chart::Series;
use model::{ChartSpan, EndpointId, NodeName, RemoteId, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Cause;
use crate::remote::Drift;

/// Which measurements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChartQuery {
    /// How far back: the last `hour` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub span: Option<ChartSpan>,
}

/// Which measurements of a storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StorageChartQuery {
    /// How far back: the last `hour` when not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub span: Option<ChartSpan>,
    /// As this node sees it, where the path does not say so; not needed where the nodes share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>, example = "pve1")]
    pub node: Option<String>,
}

/// Measurements over time, as Proxmox VE keeps them.
///
/// They were read at `observed_at`: lately, or earlier where `error` says why they could not be read anew. Where that is
/// `null` they were never read, and `at` and `series` are empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"id": "7/101", "name": "web", "remote_id": 7, "remote": "home", "node": null, "span": "hour",
    "step_seconds": 60, "at": [1795304220, 1795304280, 1795304340],
    "series": {"cpu": [0.031, null, 0.044], "net_in": [1532.0, null, 1488.0]},
    "observed_at": "2026-11-21T23:39:12Z", "through": "192.0.2.7:8006", "error": null, "drift": []}))]
pub struct Chart {
    /// The id of what it is of.
    #[schema(example = "7/101")]
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<Text>,
    /// The remote it belongs to.
    pub remote_id: RemoteId,
    /// That remote's name.
    pub remote: Text,
    /// The node as which it was seen, of a storage.
    pub node: Option<NodeName>,
    /// How far back.
    pub span: ChartSpan,
    /// Seconds between two measurements, as most of them are apart; `null` when there are fewer than two.
    pub step_seconds: Option<u64>,
    /// When: Unix time in seconds, growing. Where a measurement is missing a time stands all the same, with `null` in
    /// all series.
    pub at: Vec<i64>,
    /// What was measured, by name.
    pub series: Series,
    /// When it was read; `null`: never.
    pub observed_at: Option<Timestamp>,
    /// Through which endpoint.
    pub through: Option<EndpointId>,
    /// Why it could not be read anew.
    pub error: Option<Cause>,
    /// Fields and rows of the reply that did not fit.
    pub drift: Vec<Drift>,
}
