//! How people like things to be shown. Read from the store each time: whoever is asked, on whichever server, knows the
//! same.

use api::preferences::{KEYS, ListPreferences, MOST_BYTES, Preferences, SavedView, merge};
use jiff::Timestamp;
use serde_json::{Map, Value};
use store::{PreferencesRecord, StoreError, Write};

use super::People;
use crate::extract::whole;
use crate::problem::Problem;

/// How deep what has no form of its own may be.
const DEEPEST: usize = 8;

/// The most columns of one list.
const COLUMNS: usize = 100;

/// The longest name of anything in them.
const NAME: usize = 100;

/// The longest query or order.
const TEXT: usize = 2000;

/// How often a change is made anew when others change something at the same time.
const MADE_ANEW: usize = 8;

/// What is kept of somebody's preferences.
struct Kept {
    /// When the user was made.
    born: Timestamp,
    /// How often they were changed.
    number: i64,
    /// As it is kept: it may hold what a newer Muster has put there.
    all: Map<String, Value>,
    /// It is no object at all: nothing of it can be read.
    broken: bool,
}

impl People {
    /// What a user prefers, as far as it can be read.
    ///
    /// # Errors
    /// 404 when there is no such user any more; when they cannot be read.
    pub(crate) async fn preferences(&self, user: &str) -> Result<Preferences, Problem> {
        let kept = self.preferred(user).await?;
        Ok(known(&kept.all))
    }

    /// Changes what a user prefers; all of it, as it is then.
    ///
    /// # Errors
    /// 422 for what makes no sense or is too much; 409 where that which cannot be read would be lost; when it cannot be
    /// written.
    pub(crate) async fn prefer(&self, user: &str, patch: Map<String, Value>) -> Result<Preferences, Problem> {
        let patch = Value::Object(patch);
        if depth(&patch) > DEEPEST + 2 {
            return Err(too_deep());
        }
        for _ in 0..MADE_ANEW {
            let Kept { born, number, all, broken } = self.preferred(user).await?;
            let lost: Vec<_> = unreadable(&all, broken).filter(|key| !takes_the_place(&patch, key)).collect();
            if !lost.is_empty() {
                return Err(would_be_lost(&lost));
            }
            let mut meant = serde_json::to_value(known(&all)).map_err(|_| Problem::internal())?;
            merge(&mut meant, patch.clone());
            let meant = fit(meant)?;
            // What this version does not know stays as it is.
            let mut all = Value::Object(all);
            merge(&mut all, patch.clone());
            let body = serde_json::to_string(&all).map_err(|_| Problem::internal())?;
            if body.len() > MOST_BYTES {
                return Err(Problem::invalid(format!(
                    "That would be {} bytes of preferences; at most {MOST_BYTES} are kept.",
                    body.len()
                )));
            }
            let record = PreferencesRecord { user: user.to_owned(), born, number: number + 1, body };
            match self.store.write(vec![Write::Preferences(record)]).await {
                // Changed meanwhile, in another window or on another server.
                Err(StoreError::Stale) => {}
                written => return Ok(written.map(|_| meant)?),
            }
        }
        Err(StoreError::Stale.into())
    }

    async fn preferred(&self, user: &str) -> Result<Kept, Problem> {
        let born = self.book().users.get(user).map(|user| user.created);
        let born = born.ok_or_else(|| Problem::not_found("user"))?;
        let Some(kept) = self.store.preferences(user, born).await? else {
            return Ok(Kept { born, number: 0, all: Map::new(), broken: false });
        };
        let all = serde_json::from_str::<Map<String, Value>>(&kept.body);
        let (broken, number) = (all.is_err(), kept.number);
        let all = all.unwrap_or_default();
        let lost: Vec<_> = unreadable(&all, broken).collect();
        if !lost.is_empty() {
            tracing::warn!(user, ?lost, "what is kept of somebody's preferences cannot be read");
        }
        Ok(Kept { born, number, all, broken })
    }
}

/// What of them can be read.
fn known(all: &Map<String, Value>) -> Preferences {
    let mut all = all.clone();
    all.retain(|key, value| alone(key, value).is_some());
    serde_json::from_value(Value::Object(all)).unwrap_or_default()
}

/// One of them, if it can be read.
fn alone(key: &str, value: &Value) -> Option<Preferences> {
    let one = Map::from_iter([(key.to_owned(), value.clone())]);
    serde_json::from_value(Value::Object(one)).ok()
}

/// Those that cannot be read.
fn unreadable(all: &Map<String, Value>, broken: bool) -> impl Iterator<Item = &'static str> {
    let odd = move |key: &&'static str| all.get(*key).is_some_and(|value| alone(key, value).is_none());
    KEYS.into_iter().filter(move |key| broken || odd(key))
}

/// Whether a patch leaves nothing of what was there.
fn takes_the_place(patch: &Value, key: &str) -> bool {
    patch.get(key).is_some_and(|value| !value.is_object())
}

fn would_be_lost(keys: &[&str]) -> Problem {
    let keys = keys.join(", ");
    Problem::conflict("preferences_unreadable", format!("What is kept of these cannot be read: {keys}."))
        .remedy("Take them away (“null”, “muster account preferences unset”), or ask a server of the version that wrote them.")
}

/// What makes sense as preferences.
fn fit(all: Value) -> Result<Preferences, Problem> {
    let all: Preferences = whole(all)?;
    for (list, preferred) in &all.lists {
        let ListPreferences { columns, sort } = preferred;
        is_list(list)?;
        fits(columns.as_deref(), sort.as_deref())?;
    }
    let mut names = std::collections::HashSet::new();
    for view in &all.views {
        let SavedView { name, list, q, sort, columns } = view;
        is_list(list)?;
        fits(columns.as_deref(), sort.as_deref())?;
        if name.trim().is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
            return Err(Problem::invalid(format!("A view needs a name of 1 to {NAME} letters.")));
        }
        if q.chars().count() > TEXT {
            return Err(Problem::invalid(format!("The query of the view {name} is too long.")));
        }
        if !names.insert((list, name)) {
            return Err(Problem::invalid(format!("Two views of {list} are called {name}."))
                .remedy("Give one of them another name."));
        }
    }
    if all.favourites.iter().any(|one| one.is_empty() || one.chars().count() > TEXT) {
        return Err(Problem::invalid(format!("A favourite has 1 to {TEXT} letters.")));
    }
    if all.ui.values().any(|value| depth(value) > DEEPEST) {
        return Err(too_deep());
    }
    Ok(all)
}

fn too_deep() -> Problem {
    Problem::invalid(format!("In “ui” objects and lists stand at most {DEEPEST} deep in each other."))
}

fn is_list(name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty()
        && name.len() <= NAME
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
    if fits { Ok(()) } else { Err(Problem::invalid(format!("“{name}” cannot be the name of a list."))) }
}

fn fits(columns: Option<&[String]>, sort: Option<&str>) -> Result<(), Problem> {
    if columns.is_some_and(|columns| columns.len() > COLUMNS) {
        return Err(Problem::invalid(format!("A list has at most {COLUMNS} columns.")));
    }
    let mut names = columns.into_iter().flatten();
    if names.any(|name| name.is_empty() || name.chars().count() > NAME) {
        return Err(Problem::invalid(format!("A column has a name of 1 to {NAME} letters.")));
    }
    if sort.is_some_and(|sort| sort.chars().count() > TEXT) {
        return Err(Problem::invalid("That order is too long."));
    }
    Ok(())
}

/// How deep objects and lists stand in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
