//! A secret that was stored is found nowhere in the open: not in a page of the database, not in its log, not
//! in a backup, not in a message or a dump of a value.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use common::*;
use store::*;
use zeroize::Zeroizing;

const CANARY: &str = "canary-9b1f4c2e-in-the-mine";

/// A file's bytes as another process reads them: closing it in this one would drop SQLite's locks.
fn bytes(path: &Path) -> Vec<u8> {
    Command::new("cat").arg(path).output().unwrap().stdout
}

/// In the open, in base64 of each alignment, or in hexadecimal.
fn sings(bytes: &[u8]) -> bool {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut shapes = vec![CANARY.as_bytes().to_vec(), hex.into_bytes()];
    for skipped in 0..3 {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&CANARY.as_bytes()[skipped..]);
        shapes.push(text.as_bytes()[..text.len() - 2].to_vec());
    }
    shapes.iter().any(|shape| bytes.windows(shape.len()).any(|window| window == shape))
}

#[test]
fn the_search_finds_what_lies_open() {
    assert!(sings(format!("xx{CANARY}xx").as_bytes()));
    for before in ["", "a", "ab"] {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{CANARY}zz"));
        assert!(sings(text.as_bytes()), "{text}");
    }
    assert!(!sings(b"canary-in-another-mine"));
}

#[tokio::test]
async fn no_page_no_log_no_backup_holds_a_secret_in_the_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let place = Place::Sqlite(path.clone());
    let store = Store::open(place.clone(), keys(), timings()).await.unwrap();
    let reply = IdempotencyRecord {
        principal: "anna".into(),
        key: "k".into(),
        fingerprint: "f".into(),
        at: at(0),
        stage: Stage::Answered {
            status: 200,
            body: Zeroizing::new(format!("{{\"secret\":\"{CANARY}\"}}").into_bytes()),
        },
    };
    let long = CANARY.repeat(1000);
    let batch = vec![
        secret("credential", "1", CANARY),
        // Longer than a page.
        secret("credential", "2", &long),
        Write::Idempotency(reply),
    ];
    assert!(!sings(format!("{batch:?}").as_bytes()));
    store.write(batch).await.unwrap();
    store.write(vec![secret("credential", "1", &format!("{CANARY}2"))]).await.unwrap();
    store.rotate(Keys::new(key(2), vec![key(1)])).await.unwrap();
    let backup = dir.path().join("backup.db");
    store.backup(&backup).await.unwrap();

    // A row that does not open says so without what is in it.
    execute(&place, "UPDATE secrets SET record = '3' WHERE record = '2'").await;
    let error = store.secret(&SecretId::new("credential", "3")).await.unwrap_err();
    assert!(!sings(format!("{error} {error:?}").as_bytes()));
    assert!(!sings(format!("{store:?}").as_bytes()));

    let mut looked_at = 0;
    for round in 0..2 {
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let file = entry.unwrap().path();
            assert!(!sings(&bytes(&file)), "{} holds the secret (round {round})", file.display());
            looked_at += 1;
        }
        // The second time with the log folded in.
        if round == 0 {
            assert_eq!(
                store.secret(&SecretId::new("credential", "1")).await.unwrap().unwrap().len(),
                CANARY.len() + 1
            );
            store.close().await;
        }
    }
    assert!(looked_at >= 7, "database, log, index, lock and backup; then three: {looked_at}");
}

#[tokio::test]
async fn what_was_sealed_under_an_old_key_does_not_linger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("muster.db");
    let store = Store::open(Place::Sqlite(path.clone()), keys(), timings()).await.unwrap();
    let batch = (0..200).map(|n| secret("credential", &n.to_string(), CANARY)).collect();
    store.write(batch).await.unwrap();
    let old = keys().current().unwrap().to_string();
    store.rotate(Keys::new(key(2), vec![key(1)])).await.unwrap();
    store.close().await;
    // Each row names its key: with secure deletion no free space remembers the old ones.
    let bytes = bytes(&path);
    assert!(
        !bytes.windows(old.len()).any(|window| window == old.as_bytes()),
        "the old key's name is still there"
    );
}
