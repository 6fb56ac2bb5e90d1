//! Holds the simulator against a real server: the same request, sent through real TLS, must get the same
//! status, reason phrase, headers, JSON types and error keys. What has to be there before is in the table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(unreachable_pub)] // The parts of one test program.

#[path = "recordings/compare.rs"]
mod compare;
#[path = "recordings/corpus.rs"]
mod corpus;
#[path = "recordings/stage.rs"]
mod stage;
mod support;

use std::collections::BTreeSet;

use compare::Known;
use corpus::{Exchange, corpus};

/// One row of the table.
struct Row<'a> {
    file: &'a str,
    /// The set-up, or why the exchange is left out.
    plan: Result<Vec<&'a str>, &'a str>,
}

fn table() -> Vec<Row<'static>> {
    let lines = include_str!("recordings/table.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut columns = line.splitn(3, " | ");
            let mut next = || columns.next().unwrap_or_else(|| panic!("a column is missing: {line}"));
            let (file, applies, rest) = (next(), next(), next());
            let plan = match applies {
                "yes" => Ok(rest.split("; ").collect()),
                "no" => Err(rest),
                other => panic!("neither yes nor no: {other}"),
            };
            Row { file, plan }
        })
        .collect()
}

#[test]
fn every_recording_has_a_row_and_every_row_a_recording() {
    let Some(corpus) = corpus() else { return };
    let files: BTreeSet<String> = corpus.files().into_iter().collect();
    let rows: BTreeSet<String> = table().iter().map(|row| row.file.to_owned()).collect();
    assert_eq!(table().len(), rows.len(), "a file has two rows");
    let missing: Vec<&String> = files.difference(&rows).collect();
    let stale: Vec<&String> = rows.difference(&files).collect();
    assert!(missing.is_empty() && stale.is_empty(), "no row: {missing:?}; no file: {stale:?}");
    for row in table() {
        assert!(row.plan != Err(""), "{}: a reason is needed", row.file);
    }
}

#[tokio::test]
async fn the_simulator_answers_like_the_real_server() {
    let Some(corpus) = corpus() else { return };
    let known = Known::read(&corpus);
    let only = std::env::var("ONLY").unwrap_or_default();
    let (mut held, mut differences) = (0, Vec::new());
    for row in table() {
        let Ok(plan) = &row.plan else { continue };
        if !row.file.contains(&only) {
            continue;
        }
        let recorded = Exchange::read(&corpus, row.file);
        let answer = stage::play(&recorded, plan).await;
        held += 1;
        for difference in known.compare(&recorded, &answer) {
            differences.push(format!("{}: {difference}", row.file));
        }
    }
    println!("{held} exchanges held against the simulator, {} differences", differences.len());
    for difference in &differences {
        println!("  {difference}");
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
    assert!(held > 200 || !only.is_empty(), "only {held} exchanges were looked at");
}
