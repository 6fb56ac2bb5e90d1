//! Secrets: bound to their records, their keys changed in use.

use crate::common::*;
use crate::moving::contents;
use store::*;

pub async fn swapped_rows_do_not_open(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    store
        .write(vec![
            secret("credential", "1", "one"),
            secret("credential", "2", "two"),
            secret("totp", "1", "three"),
        ])
        .await
        .unwrap();
    for swap in [
        "UPDATE secrets SET record = CASE record WHEN '1' THEN '9' ELSE '1' END WHERE purpose = 'credential';
         UPDATE secrets SET record = '2' WHERE record = '9'",
        "UPDATE secrets SET body = (SELECT body FROM secrets WHERE purpose = 'totp') WHERE purpose = 'credential'",
    ] {
        execute(&place, swap).await;
        for record in ["1", "2"] {
            let error = store.secret(&SecretId::new("credential", record)).await.unwrap_err();
            assert!(matches!(error, StoreError::Sealed { .. }), "{error:?}");
        }
    }
    assert_eq!(store.secret(&SecretId::new("totp", "1")).await.unwrap().unwrap().as_slice(), b"three");
    store.close().await;
}

pub async fn the_wrong_key_is_refused_and_nothing_changed(ground: &Ground<'_>) {
    let empty = ground.place().await;
    let error = Store::open(empty.clone(), Keys::none(), timings()).await.unwrap_err();
    assert_eq!(error, OpenError::KeyMissing);
    assert_eq!(Store::look(&empty).await.unwrap(), None);

    let (store, place) = ground.store().await;
    store.write(vec![secret("credential", "1", "one")]).await.unwrap();
    let instance = store.instance().to_owned();
    store.close().await;
    let before = contents(&place);
    let looked = Store::look(&place).await.unwrap().unwrap();
    assert_eq!(looked.instance, instance);
    assert_eq!(looked.keys, [keys().current().unwrap().to_string()]);
    let error = Store::open(place.clone(), Keys::new(key(2), vec![]), timings()).await.unwrap_err();
    assert_eq!(error, OpenError::WrongKey { needed: keys().current().unwrap().to_string() });
    assert!(error.to_string().contains("key file"), "{error}");
    let error = Store::open(place.clone(), Keys::none(), timings()).await.unwrap_err();
    assert_eq!(error, OpenError::KeyMissing);
    assert_eq!(contents(&place), before, "a refused open changed the file");
    Store::open(place, Keys::new(key(2), vec![key(1)]), timings()).await.unwrap().close().await;
}

pub async fn keys_are_changed_while_reading_goes_on(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let count = 500;
    let batch = (0..count).map(|n| secret("credential", &n.to_string(), &format!("plain {n}"))).collect();
    store.write(batch).await.unwrap();
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..400 {
                    let record = (n * 7 + reader) % count;
                    let plain = store.secret(&SecretId::new("credential", record)).await.unwrap().unwrap();
                    assert_eq!(plain.as_slice(), format!("plain {record}").as_bytes());
                    if n % 50 == 0 {
                        store.write(vec![secret("credential", &format!("new{n}"), "x")]).await.unwrap();
                    }
                }
            })
        })
        .collect();
    // Without the key in use it is refused, and the one in use stays in use.
    let error = store.rotate(Keys::new(key(2), vec![])).await.unwrap_err();
    assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
    let rotated = store.rotate(Keys::new(key(2), vec![key(1)])).await.unwrap();
    assert!(rotated.resealed > count, "{rotated:?}");
    assert_eq!(rotated.unopened, []);
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(store.keys_in_use().await.unwrap().len(), 1);
    store.close().await;
    // The old key is not needed any more, nor enough.
    assert!(Store::open(place.clone(), keys(), timings()).await.is_err());
    let store = Store::open(place, Keys::new(key(2), vec![]), timings()).await.unwrap();
    assert_eq!(store.secret(&SecretId::new("credential", 3)).await.unwrap().unwrap().as_slice(), b"plain 3");
    store.close().await;
}

pub async fn a_change_of_keys_cut_short_is_taken_up_again(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let count = 1000;
    let batch = (0..count).map(|n| secret("credential", &n.to_string(), &format!("plain {n}"))).collect();
    store.write(batch).await.unwrap();
    let rotating = {
        let store = store.clone();
        tokio::spawn(async move { store.rotate(Keys::new(key(2), vec![key(1)])).await })
    };
    while store.keys_in_use().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    rotating.abort();
    let _ = rotating.await;
    store.close().await;
    // Neither key alone will do: rows are under both.
    for alone in [1, 2] {
        let error = Store::open(place.clone(), Keys::new(key(alone), vec![]), timings()).await.unwrap_err();
        assert!(matches!(error, OpenError::WrongKey { .. }), "{error:?}");
    }
    let both = Keys::new(key(2), vec![key(1)]);
    for keys in [Keys::new(key(1), vec![key(2)]), both.clone()] {
        let store = Store::open(place.clone(), keys.clone(), timings()).await.unwrap();
        let in_use = store.keys_in_use().await.unwrap();
        assert_eq!((in_use.len(), &in_use[0]), (2, &keys.current().unwrap().to_string()));
        assert_eq!(store.current_key().as_ref(), keys.current());
        store.close().await;
    }
    let store = Store::open(place.clone(), both.clone(), timings()).await.unwrap();
    for n in 0..count {
        let plain = store.secret(&SecretId::new("credential", n)).await.unwrap().unwrap();
        assert_eq!(plain.as_slice(), format!("plain {n}").as_bytes());
    }
    // A row that does not open is told and left, and holds up nothing.
    execute(
        &place,
        "UPDATE secrets SET body = (SELECT body FROM secrets WHERE record = '1') WHERE record = '999'",
    )
    .await;
    let rotated = store.rotate(both).await.unwrap();
    assert!(rotated.resealed > 0 && rotated.resealed < count, "{rotated:?}");
    assert_eq!(rotated.unopened, [SecretId::new("credential", 999)]);
    store.close().await;
}
