//! Users with what they have, and requests remembered.

use crate::common::*;
use crate::writing::session;
use sqlx::{Connection, Row};
use store::*;
use zeroize::Zeroizing;

pub async fn people_come_and_go_with_all_they_had(ground: &Ground<'_>) {
    let (store, _) = ground.store().await;
    let user = |name: &str| UserRecord {
        name: name.into(),
        password: Some("$argon2id$…".into()),
        created: at(0),
        updated: at(0),
        body: "{}".into(),
    };
    let token = |id: &str, user: &str| TokenRecord {
        id: id.into(),
        hash: [3; 32],
        user: user.into(),
        name: "ci".into(),
        created: at(0),
        expires: None,
        seen: None,
        body: "{}".into(),
    };
    let grant =
        |role: &str| GrantRecord { role: role.into(), scope_kind: "all".into(), scope_value: String::new() };
    for (n, name) in ["anna", "bert"].into_iter().enumerate() {
        let n = u8::try_from(n).unwrap();
        store
            .write(vec![
                Write::User(user(name)),
                Write::Grants {
                    user: name.into(),
                    grants: vec![grant("viewer"), grant("operator"), grant("viewer")],
                },
                Write::Session(session(&format!("{name}1"), name, [n; 32])),
                Write::Session(session(&format!("{name}2"), name, [n + 10; 32])),
                Write::Token(token(&format!("{name}t"), name)),
            ])
            .await
            .unwrap();
    }
    assert_eq!(store.users().await.unwrap().len(), 2);
    assert_eq!(store.user("anna").await.unwrap(), Some(user("anna")));
    assert_eq!(store.grants("anna").await.unwrap(), [grant("operator"), grant("viewer")]);
    store.write(vec![Write::Grants { user: "anna".into(), grants: vec![grant("viewer")] }]).await.unwrap();
    assert_eq!(store.grants("anna").await.unwrap(), [grant("viewer")]);

    assert_eq!(store.session(&[0; 32]).await.unwrap().unwrap().id, "anna1");
    store
        .write(vec![
            Write::SessionSeen { id: "anna1".into(), at: at(50) },
            Write::SessionSeen { id: "anna1".into(), at: at(40) },
            Write::TokenSeen { id: "annat".into(), at: at(60) },
            Write::SessionsGone { user: "anna".into(), except: Some("anna1".into()) },
        ])
        .await
        .unwrap();
    let sessions = store.sessions("anna").await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!((sessions[0].id.as_str(), sessions[0].seen), ("anna1", at(50)));
    assert_eq!(store.token("annat").await.unwrap().unwrap().seen, Some(at(60)));
    store.write(vec![Write::SessionGone { id: "anna1".into() }]).await.unwrap();
    assert_eq!(store.session(&[0; 32]).await.unwrap(), None);

    store.write(vec![Write::UserGone { name: "anna".into() }]).await.unwrap();
    assert_eq!(store.user("anna").await.unwrap(), None);
    assert_eq!(store.grants("anna").await.unwrap(), []);
    assert_eq!(store.tokens("anna").await.unwrap(), []);
    assert_eq!(store.sessions("bert").await.unwrap().len(), 2);
    assert_eq!(store.tokens("bert").await.unwrap().len(), 1);
    store
        .write(vec![
            Write::TokenGone { id: "bertt".into() },
            Write::SessionsGone { user: "bert".into(), except: None },
        ])
        .await
        .unwrap();
    assert_eq!(store.token("bertt").await.unwrap(), None);
    assert_eq!(store.sessions("bert").await.unwrap(), []);
    store.close().await;
}

pub async fn remembered_requests_keep_their_answer_sealed(ground: &Ground<'_>) {
    let (store, place) = ground.store().await;
    let asked = IdempotencyRecord {
        principal: "anna".into(),
        key: "k1".into(),
        fingerprint: "f".into(),
        at: at(0),
        reply: None,
    };
    store.write(vec![Write::Idempotency(asked.clone())]).await.unwrap();
    assert_eq!(store.idempotency("anna", "k1").await.unwrap(), Some(asked.clone()));
    let reply = Zeroizing::new(b"{\"secret\":\"mst_x_canary\"}".to_vec());
    let answered = IdempotencyRecord { reply: Some((201, reply)), ..asked };
    store.write(vec![Write::Idempotency(answered.clone())]).await.unwrap();
    assert_eq!(store.idempotency("anna", "k1").await.unwrap(), Some(answered));
    assert_eq!(store.idempotency("bert", "k1").await.unwrap(), None);
    let mut look = behind(&place).await;
    let rows = sqlx::query("SELECT body FROM secrets").fetch_all(&mut look).await.unwrap();
    look.close().await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let body: Vec<u8> = row.get(0);
        assert!(!body.windows(6).any(|six| six == b"canary"));
    }
    store.write(vec![Write::IdempotencyGone { principal: "anna".into(), key: "k1".into() }]).await.unwrap();
    assert_eq!(store.idempotency("anna", "k1").await.unwrap(), None);
    store.close().await;
}
