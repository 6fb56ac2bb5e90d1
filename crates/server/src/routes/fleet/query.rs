//! `/query`: what may be asked for in the lists, and how a query that is being typed may go on.

use std::collections::BTreeSet;

use api::query::{CompleteQuery, Completion, MAX_SUGGESTIONS, QueryField, QueryFields, Suggestion};
use axum::extract::State;
use fleet::lists;
use model::access::Act;
use model::query::complete::{Typing, typing};
use model::query::{KeyRow, Vocabulary, keys};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Path, Query};
use crate::guard::guard;
use crate::problem::Problem;

/// Live values of one key at most.
const LIVE: usize = 20;

/// The longest query that is looked at.
const LONGEST: usize = 8 * 1024;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(guard(Act::Read, routes!(fields))).routes(guard(Act::Read, routes!(complete)))
}

fn list_of(name: &str) -> Result<Vocabulary, Problem> {
    let found = Vocabulary::ALL.into_iter().find(|about| about.as_str() == name);
    found.ok_or_else(|| Problem::not_found("list"))
}

/// Tells what may be asked for in a list.
#[utoipa::path(
    get,
    path = "/query/{list}",
    tag = "query",
    params(("list" = String, Path, description = "The list.", example = "guests")),
    responses((status = 200, description = "Its keys.", body = QueryFields)),
)]
async fn fields(Path(list): Path<String>) -> Result<Json<QueryFields>, Problem> {
    let about = list_of(&list)?;
    Ok(Json(QueryFields { list, fields: keys(about).map(field).collect() }))
}

fn field(row: &KeyRow) -> QueryField {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    QueryField {
        name: row.word.to_owned(),
        kind: row.kind.as_str().to_owned(),
        operators: texts(row.kind.operators()),
        values: texts(row.values),
        // Sort keys and keys are the same.
        sortable: true,
        what: row.meaning.to_owned(),
    }
}

/// Tells how a query that is being typed may go on at the cursor.
///
/// Keys, their known values, and values that something has at present that the caller may see. Each says which part of
/// the text it takes the place of, and stands as it has to be written, in quotes where it must be.
#[utoipa::path(
    get,
    path = "/query/{list}/complete",
    tag = "query",
    params(("list" = String, Path, description = "The list.", example = "guests"), CompleteQuery),
    responses((status = 200, description = "Proposals.", body = Completion)),
)]
async fn complete(
    State(app): State<App>,
    caller: Caller,
    Path(list): Path<String>,
    Query(asked): Query<CompleteQuery>,
) -> Result<Json<Completion>, Problem> {
    let about = list_of(&list)?;
    let query = asked.q.unwrap_or_default();
    if query.len() > LONGEST {
        return Err(Problem::invalid(format!("A query that is completed has at most {LONGEST} bytes.")));
    }
    let typed = typing(&query, asked.at.unwrap_or(query.len()), about);
    let mut suggestions = Collected::of(&typed);
    for one in typed.fields(about) {
        suggestions.add("field", one.text, one.what.to_owned());
    }
    for one in typed.fixed(about) {
        suggestions.add("value", one.text, one.what.to_owned());
    }
    let (snapshot, visible) = (app.fleet().snapshot(), caller.visible());
    for (row, begins) in typed.asks_for(about) {
        for (value, count) in lists::values(&snapshot, &visible, about, row.key, begins, LIVE) {
            suggestions.add("live", typed.value(row, &value), counted(about, row, count));
        }
    }
    Ok(Json(Completion { suggestions: suggestions.all }))
}

/// `on 3 guests`; of a remote, which is asked about as a whole, what it is.
fn counted(about: Vocabulary, row: &KeyRow, count: usize) -> String {
    match (row.key.is_of_the_remote(), count) {
        (true, _) => "a remote".to_owned(),
        (false, 1) => format!("{}; 1 of the {}", row.meaning, about.as_str()),
        (false, n) => format!("{}; {n} of the {}", row.meaning, about.as_str()),
    }
}

struct Collected {
    replace: (usize, usize),
    all: Vec<Suggestion>,
    texts: BTreeSet<String>,
}

impl Collected {
    fn of(typed: &Typing) -> Self {
        let replace = (typed.replace.start, typed.replace.end);
        Self { replace, all: Vec::new(), texts: BTreeSet::new() }
    }

    fn add(&mut self, kind: &str, text: String, what: String) {
        if self.all.len() < MAX_SUGGESTIONS && self.texts.insert(text.clone()) {
            self.all.push(Suggestion { replace: self.replace, text, kind: kind.to_owned(), what });
        }
    }
}
