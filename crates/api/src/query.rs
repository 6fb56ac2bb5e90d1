//! What may be asked for in a query, and how one goes on: `GET /query/{list}`, `GET /query/{list}/complete`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Proposals in one answer at most.
pub const MAX_SUGGESTIONS: usize = 50;

/// The keys of one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryFields {
    /// The list: `guests`, `nodes`, `storages`, `tasks`, `operations` or `remotes`.
    #[schema(example = "guests")]
    pub list: String,
    /// Its keys.
    pub fields: Vec<QueryField>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryField {
    /// How it is written.
    #[schema(example = "status")]
    pub name: String,
    /// What kind of value it has: `text`, `word` (one of `values`), `number`, `share` (`80%`), `bytes` (`4G`, or a share),
    /// `span` (`5m`), `address` (one, or a network), `flag` (`yes`, `no`).
    #[serde(rename = "type")]
    #[schema(example = "text")]
    pub kind: String,
    /// What may stand between it and its value.
    #[schema(example = json!([":", "~"]))]
    pub operators: Vec<String>,
    /// Values that it is known to have; of a `word` or `flag` the only ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["running", "stopped"]))]
    pub values: Vec<String>,
    /// Whether the list can be sorted by it.
    pub sortable: bool,
    /// What it is, in one clause.
    #[schema(example = "its state now")]
    pub what: String,
}

/// A query that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompleteQuery {
    /// The query as far as it is typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "status:ru")]
    pub q: Option<String>,
    /// Where the cursor stands, in bytes (UTF-8) of the query; absent: at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = 9)]
    pub at: Option<usize>,
}

/// How a query may go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// Proposals, the likeliest first, fifty at most.
    pub suggestions: Vec<Suggestion>,
}

/// One proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"replace": [7, 9], "text": "running", "type": "value", "what": "its state now"}))]
pub struct Suggestion {
    /// What it takes the place of: the first byte (UTF-8) of that, and the first after it.
    pub replace: (usize, usize),
    /// What is written there.
    pub text: String,
    /// `field`, `value` (of the table), or `live` (a value that something has that the caller may see).
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, in one clause.
    pub what: String,
}
