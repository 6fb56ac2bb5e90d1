//! What the server itself counts while it answers.

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Scrapes;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Answer {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Refusal {
    reason: String,
}

/// Counters of one server. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    answers: Family<Answer, Counter>,
    refusals: Family<Refusal, Counter>,
    connections: Gauge,
    scrapes: Scrapes,
}

impl Counters {
    /// An answer left. `route` is the template of a path, never the path: the number of routes is bounded.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        let label = Answer {
            method: match *method {
                Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => {
                    method.to_string()
                }
                _ => "other".to_owned(),
            },
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.answers.get_or_create(&label).inc();
    }

    /// Something was refused; `reason` is a problem's code.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Refusal { reason: reason.to_owned() }).inc();
    }

    /// Who reads them at the moment.
    pub(super) fn scrapes(&self) -> &Scrapes {
        &self.scrapes
    }

    /// Open connections.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered, by route", self.answers.clone());
        registry.register("refusals", "Requests and connections refused, by reason", self.refusals.clone());
        registry.register("connections", "Connections that are open", self.connections.clone());
    }
}
