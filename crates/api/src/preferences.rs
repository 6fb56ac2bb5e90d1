//! How somebody likes things to be shown: `GET /preferences`, `PATCH /preferences`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The most bytes that somebody's preferences have, as JSON.
pub const MOST_BYTES: usize = 64 * 1024;

/// What there is of them.
pub const KEYS: [&str; 6] = ["theme", "density", "lists", "views", "favourites", "ui"];

/// How somebody likes things to be shown. What is absent is left to whoever shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preferences {
    /// Dark or light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub theme: Option<Theme>,
    /// How close rows stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub density: Option<Density>,
    /// What of each list is shown, by its name: `guests`, `nodes`…
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, ListPreferences>,
    /// Queries with a name. No two of one list are called the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<SavedView>,
    /// What shall be at hand, in this order, by any text that the one who shows it knows again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub favourites: Vec<String>,
    /// Whatever else the one who shows it wants to remember.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub ui: Map<String, Value>,
}

/// Dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system is.
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// How close rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Density {
    /// With room to breathe.
    Comfortable,
    /// As many as fit.
    Compact,
}

/// What of a list is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListPreferences {
    /// Its columns, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub columns: Option<Vec<String>>,
    /// Its order, as in `sort` of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sort: Option<String>,
}

/// A query with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedView {
    /// What it is called.
    pub name: String,
    /// Of which list it is: `guests`, `nodes`…
    pub list: String,
    /// What fits, as in `q` of the list.
    #[serde(default)]
    pub q: String,
    /// In which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sort: Option<String>,
    /// With which columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub columns: Option<Vec<String>>,
}

/// `PATCH /preferences`: what is to change of [`Preferences`], as a JSON merge patch (RFC 7396). `null` takes something
/// away, an object goes into the one that is there, everything else takes the place of what was there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct PreferencesPatch(pub Map<String, Value>);

/// What a patch makes of a value (RFC 7396).
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, change) in patch {
        if change.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_one_of_them_is_named() {
        let all = json!({"theme": "dark", "density": "compact", "lists": {"guests": {"sort": "name"}},
            "views": [{"name": "busy", "list": "guests"}], "favourites": ["guest:7/101"], "ui": {"x": 1}});
        let told = serde_json::to_value(serde_json::from_value::<Preferences>(all).unwrap()).unwrap();
        assert_eq!(
            told.as_object().unwrap().keys().collect::<std::collections::BTreeSet<_>>(),
            KEYS.map(str::to_owned).iter().collect()
        );
        // One that is added is to be named, too.
        let Preferences { theme: _, density: _, lists: _, views: _, favourites: _, ui: _ } =
            Preferences::default();
    }

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merges_as_the_standard_shows() {
        for (target, patch, wanted) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, patch.clone());
            assert_eq!(merged, wanted, "{target} {patch}");
        }
    }
}
