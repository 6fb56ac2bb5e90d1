//! Measurements over time, and what lies on a storage.

use serde_json::{Value, json};

use super::super::gauges::{below, mix};
use super::*;

fn rows(world: &mut World, path: &str) -> Vec<Value> {
    let got = world.get(path);
    assert_eq!(got.status, 200, "{path}: {}", got.reason);
    got.data.as_array().unwrap().clone()
}

/// The times of the rows that have that figure.
fn having(rows: &[Value], figure: &str) -> Vec<u64> {
    rows.iter().filter(|row| row.get(figure).is_some()).map(|row| row["time"].as_u64().unwrap()).collect()
}

#[test]
fn steps_and_lengths_go_by_release() {
    for (version, span, step, count) in [
        ("7.4", "hour", 60, 70),
        ("8.4", "day", 1_800, 70),
        ("8.4", "year", 604_800, 70),
        ("9.2", "hour", 60, 60),
        ("9.2", "day", 60, 1_440),
        ("9.2", "year", 21_600, 1_440),
    ] {
        let mut world = World::new(version);
        for path in ["/nodes/pve1", "/nodes/pve1/lxc/101", "/nodes/pve1/storage/local"] {
            let rows = rows(&mut world, &format!("{path}/rrddata?timeframe={span}"));
            assert_eq!(rows.len(), count, "{version} {path} {span}");
            let times: Vec<u64> = rows.iter().map(|row| row["time"].as_u64().unwrap()).collect();
            assert!(times.windows(2).all(|two| two[1] - two[0] == step), "{version} {path} {span}");
        }
    }
}

#[test]
fn the_past_is_empty_before_the_start_and_full_where_it_ran() {
    let mut world = World::new("9.2");
    let got = world.post("/nodes/pve1/lxc/102/status/start", &[]);
    world.finish(&got);
    world.pass(600_000);
    let rows_now = rows(&mut world, "/nodes/pve1/lxc/102/rrddata?timeframe=hour");
    assert!(rows_now[0].get("cpu").is_none() && rows_now[0].get("maxmem").is_some());
    let last = rows_now.last().unwrap();
    assert!(last["cpu"].is_number() && last.get("pressurecpusome").is_some());
    let ran = having(&rows_now, "cpu");
    let got = world.post("/nodes/pve1/lxc/102/status/stop", &[]);
    world.finish(&got);
    world.pass(600_000);
    let later = rows(&mut world, "/nodes/pve1/lxc/102/rrddata?timeframe=hour");
    assert!(later.last().unwrap().get("cpu").is_none());
    let still = having(&later, "cpu");
    assert!(ran.iter().all(|time| still.contains(time)), "what it did while it ran is not forgotten");
}

#[test]
fn a_node_that_was_down_leaves_a_gap() {
    let mut world = World::cluster("8.4");
    world.pass(60_000);
    world.cluster.kill_node("pve3");
    world.pass(600_000);
    let path = "/nodes/pve3/rrddata?timeframe=hour";
    let down = rows(&mut world, path);
    assert!(having(&down, "cpu").len() >= 55, "whoever is asked tells what was before");
    assert_eq!(having(&down[61..], "cpu"), [0; 0]);
    let of_guest = rows(&mut world, "/nodes/pve3/lxc/301/rrddata?timeframe=hour");
    assert_eq!(having(&of_guest[61..], "maxmem"), [0; 0], "and nobody measured its guests");
    assert_eq!(world.get("/nodes/pve3/storage/local/rrddata?timeframe=hour").status, 595);
    world.cluster.revive_node("pve3");
    world.pass(300_000);
    let up = rows(&mut world, path);
    let times = having(&up, "cpu");
    let gap = times.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!((540..=720).contains(&gap), "{gap}");
    assert!(times.len() > 50, "what was before the gap is there");
}

#[test]
fn each_tells_of_what_was_asked_for() {
    let mut world = World::cluster("9.2");
    let one = rows(&mut world, "/nodes/pve1/rrddata?timeframe=hour");
    let two = rows(&mut world, "/nodes/pve2/rrddata?timeframe=hour");
    assert_ne!(one, two, "asked through the same endpoint");
    assert!(having(&rows(&mut world, "/nodes/pve2/lxc/201/rrddata?timeframe=hour"), "cpu").len() > 50);
    let got = world.get("/nodes/pve9/rrddata?timeframe=hour");
    assert_eq!((got.status, got.reason.contains("pve-node-9.0/pve9")), (500, true), "{}", got.reason);
    let got = world.get("/nodes/pve1/lxc/999/rrddata?timeframe=hour");
    assert_eq!((got.status, got.reason.starts_with("RRD error: opening")), (500, true), "{}", got.reason);
}

#[test]
fn an_old_release_begins_a_bucket_before_it_is_measured() {
    let mut world = World::new("8.4");
    let into = |world: &World| world.cluster.now().seconds() % 1_800;
    let wait = 1_800 - into(&world) + 1;
    world.pass(wait * 1_000);
    let path = "/nodes/pve1/rrddata?timeframe=day";
    assert_eq!(rows(&mut world, path)[69].as_object().unwrap().len(), 1, "nothing but its time");
    world.pass(900_000);
    assert!(rows(&mut world, path)[69].get("memused").is_some());
    assert!(rows(&mut world, path)[69].get("memavailable").is_none(), "a word of later releases");
}

#[test]
fn a_storage_fills_up_to_what_it_holds() {
    let mut world = World::new("9.2");
    let status = world.get("/nodes/pve1/storage/local/status").data;
    let used = status["used"].as_f64().unwrap();
    assert!((status["avail"].as_f64().unwrap() + used - status["total"].as_f64().unwrap()).abs() < 1.0);
    let year = rows(&mut world, "/nodes/pve1/storage/local/rrddata?timeframe=year");
    let figures: Vec<f64> = year.iter().filter_map(|row| row.get("used")?.as_f64()).collect();
    assert!(figures.first().unwrap() < figures.last().unwrap());
    assert!((figures.last().unwrap() - used).abs() < used / 100.0);
    assert_eq!(world.get("/nodes/pve1/storage/nope/content").status, 500);
}

#[test]
fn a_storage_lists_the_disks_of_its_node_s_guests() {
    let mut world = World::cluster("9.2");
    let of = |world: &mut World, node: &str| -> Vec<u64> {
        let found = rows(world, &format!("/nodes/{node}/storage/local-lvm/content"));
        found.iter().map(|row| row["vmid"].as_u64().unwrap()).collect()
    };
    assert_eq!(of(&mut world, "pve1"), [100, 101, 102, 103]);
    assert_eq!(of(&mut world, "pve2"), [201]);
    let disk = rows(&mut world, "/nodes/pve1/storage/local-lvm/content?vmid=101");
    assert_eq!((disk.len(), &disk[0]["content"], &disk[0]["format"]), (1, &json!("rootdir"), &json!("raw")));
    assert_eq!(disk[0]["volid"], "local-lvm:vm-101-disk-0");
    let isos = rows(&mut world, "/nodes/pve1/storage/local/content?content=iso");
    assert_eq!((isos.len(), isos[0].get("vmid")), (1, None));
    let backups = rows(&mut world, "/nodes/pve1/storage/local/content?content=backup");
    let with: Vec<u64> = world
        .cluster
        .guests
        .values()
        .filter(|guest| guest.node == 0 && below(mix(guest.seed, 80), 3) == 0)
        .map(|guest| u64::from(guest.vmid))
        .collect();
    assert_eq!(backups.iter().map(|row| row["vmid"].as_u64().unwrap()).collect::<Vec<_>>(), with);
    // An auditor sees that the storage is there and what it holds to install from, not whose disks lie on it.
    world.sign_in("alice@pve", "secret-alice");
    assert_eq!(of(&mut world, "pve1"), [0; 0]);
    assert_eq!(rows(&mut world, "/nodes/pve1/storage/local/content?content=iso").len(), 1);
}
