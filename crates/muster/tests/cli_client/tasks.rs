//! Tasks followed: as they end, or said not to be known.

use muster::term::ask::Scripted;
use serde_json::{Value, json};

use crate::fake::{Fake, Reply};
use crate::support::answering;

const TASK: &str = "home/UPID:pve1:0000C530:001C9BEC:6677F3B0:vzstart:101:root@pam:";

/// A log of one line, of a task that stands so at each look; the last of them for good.
fn standing(outcomes: Vec<Value>, kept: Value) -> Fake {
    let looks = std::sync::atomic::AtomicUsize::new(0);
    Fake::start(move |asked, _| {
        if !asked.path.ends_with("/log") {
            return match &kept {
                Value::Null => Reply::Problem(404, json!({ "detail": "There is no such task." })),
                kept => Reply::Json(200, kept.clone()),
            };
        }
        let look = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let lines = if asked.query.contains("start=0") { json!(["at it"]) } else { json!([]) };
        let outcome = &outcomes[look.min(outcomes.len() - 1)];
        Reply::Json(200, json!({ "start": 0, "lines": lines, "total": 1, "outcome": outcome }))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_not_listed_yet_is_followed_to_its_end() {
    let (none, running, unknown) =
        (json!(null), json!({ "outcome": "running" }), json!({ "outcome": "unknown" }));
    for (last, code, words) in [
        (json!({ "outcome": "failed", "text": "no space" }), 1, "The task failed: no space"),
        (json!({ "outcome": "ok" }), 0, ""),
    ] {
        let looks = vec![none.clone(), running.clone(), unknown.clone(), last];
        let fake = standing(looks, Value::Null);
        let run = fake.muster(&["task", "follow", TASK]).await;
        assert_eq!((run.code, run.out.as_str()), (code, "at it\n"), "{run:?}");
        assert!(run.err.contains(words), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_which_nobody_knows_the_end_is_not_called_done() {
    for stands in [json!(null), json!({ "outcome": "unknown" })] {
        let fake = standing(vec![stands], Value::Null);
        let (code, out, err) =
            answering(&fake, &["task", "log", TASK, "--follow"], &mut Scripted::default()).await;
        assert_eq!((code, out.as_str()), (7, "at it\n"), "{err}");
        assert!(err.contains("is not known") && err.contains("muster task follow"), "{err}");
    }
    // What is on no list any more may have been kept.
    let kept = json!({
        "id": "1/UPID", "name": "vzstart 101", "remote_id": 1, "remote": "home", "upid": TASK.split_once('/').unwrap().1,
        "node": "pve1", "type": "vzstart", "object": "101", "user": "root@pam", "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:00:01Z", "outcome": "failed", "text": "no bread",
    });
    let run = standing(vec![json!(null)], kept).muster(&["task", "follow", TASK]).await;
    assert_eq!(run.code, 1, "{run:?}");
    // Without --follow nobody asks for its end.
    let run = standing(vec![json!(null)], Value::Null).muster(&["task", "log", TASK]).await;
    assert_eq!((run.code, run.out.as_str()), (0, "at it\n"), "{run:?}");
}
