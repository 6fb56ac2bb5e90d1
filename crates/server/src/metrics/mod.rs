//! What is counted, and `/metrics`: [`text`].

mod counters;
mod gather;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use crate::app::App;

pub(crate) use counters::Counters;

/// Those who read the figures. With many guests the text is large and takes a while: however many ask, one is made at
/// a time, and all who came before it was begun get it. Clones share it.
#[derive(Debug, Clone, Default)]
struct Scrapes(Arc<Mutex<Last>>);

/// When the last text was begun (monotonic), and the text, for as long as somebody still reads it.
type Last = Option<(Duration, Weak<Text>)>;

#[derive(Debug)]
struct Text(String);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// One reader's hold on it.
struct Held(Arc<Text>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

/// Everything as OpenMetrics text, no older than the request. What is not known is absent.
pub(crate) async fn text(app: &App) -> Result<Bytes, fmt::Error> {
    let came = app.now().mono;
    let mut last = app.counters().scrapes().0.clone().lock_owned().await;
    let known = last.as_ref().filter(|(begun, _)| *begun >= came).and_then(|(_, text)| text.upgrade());
    let text = match known {
        Some(text) => text,
        None => {
            let app = app.clone();
            // The lock goes along: a reader who goes away does not end what was begun for the others.
            let made = tokio::task::spawn_blocking(move || {
                let begun = app.now().mono;
                let text = Arc::new(Text(encoded(&app)?));
                *last = Some((begun, Arc::downgrade(&text)));
                Ok(text)
            });
            made.await.map_err(|_| fmt::Error)??
        }
    };
    Ok(Bytes::from_owner(Held(text)))
}

fn encoded(app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("muster");
    app.counters().register(&mut registry);
    registry.register_collector(Box::new(gather::Gathered::of(app)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fleet::{Clock, Fleet, Timings};
    use store::{Keys, Place, Store};

    use super::*;
    use crate::Settings;

    #[tokio::test]
    async fn however_many_ask_at_once_it_is_made_for_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::new(zeroize::Zeroizing::new([7; 32]), Vec::new());
        let place = Place::Sqlite(dir.path().join("muster.db"));
        let store = Store::open(place, keys, store::Timings::default()).await.unwrap();
        let clock = Clock::new();
        let fleet = Fleet::open(Timings::shrunk(), clock, 7, store.clone()).await.unwrap();
        let app = App::new(fleet, store, Settings::default(), clock).await.unwrap();
        let all = futures_util::future::join_all((0..20).map(|_| text(&app))).await;
        let all: Vec<Bytes> = all.into_iter().map(Result::unwrap).collect();
        assert!(all.iter().all(|text| text.ends_with(b"# EOF\n")));
        let made: BTreeSet<_> = all.iter().map(|text| text.as_ptr()).collect();
        assert!(
            made.len() <= 2,
            "one for the first, one for those who came meanwhile; there were {}",
            made.len()
        );
        // Whoever comes later is told what is so then.
        app.counters().refused("later");
        let later = text(&app).await.unwrap();
        assert!(String::from_utf8_lossy(&later).contains("reason=\"later\""));
    }
}
