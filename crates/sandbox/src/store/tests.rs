//! A sandbox on disk: several processes, kills, and files that cannot be used.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::toolbox::testing::ask;

fn open(dir: &Path) -> (Store, World) {
    Store::open(dir).unwrap()
}

fn made(store: &mut Store, world: &mut World) -> u64 {
    store.run(world, true, |world| world.base.made).unwrap()
}

fn make(store: &mut Store, world: &mut World) -> u64 {
    store.run(world, false, |world| world.base.number()).unwrap();
    world.base.made
}

fn call(store: &mut Store, world: &mut World, operation: &str, name: &str) -> Value {
    let input = match operation {
        "CreateQueue" => json!({ "QueueName": name }),
        "ListQueues" => json!({}),
        _ => json!({ "QueueUrl": format!("https://sqs/0/{name}") }),
    };
    let is_read = operation.starts_with("List");
    store.run(world, is_read, |world| ask(world, "sqs", operation, input)).unwrap().unwrap()
}

fn queues(store: &mut Store, world: &mut World) -> Vec<String> {
    let urls = call(store, world, "ListQueues", "")["QueueUrls"].clone();
    let urls: Vec<String> = serde_json::from_value(urls).unwrap_or_default();
    urls.iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect()
}

/// What a process finds that opens the sandbox now.
fn afresh(dir: &Path) -> Vec<String> {
    let (mut store, mut world) = open(dir);
    queues(&mut store, &mut world)
}

fn database(store: &Store) -> &Connection {
    match store {
        Store::Disk(Disk { open: Some(open), .. }) => &open.database,
        _ => panic!("no database is open"),
    }
}

#[test]
fn writes_of_another_process_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut here) = open(dir.path());
    let (mut other, mut there) = open(dir.path());
    assert_eq!(make(&mut one, &mut here), 1);
    assert_eq!(make(&mut other, &mut there), 2);
    assert_eq!(make(&mut one, &mut here), 3);
    assert_eq!(made(&mut other, &mut there), 3);
    assert_eq!(open(dir.path()).1.base.made, 3);
    call(&mut one, &mut here, "CreateQueue", "a");
    call(&mut other, &mut there, "CreateQueue", "b");
    assert_eq!(queues(&mut one, &mut here), ["a", "b"]);
    call(&mut one, &mut here, "DeleteQueue", "a");
    assert_eq!(queues(&mut other, &mut there), ["b"]);
}

#[test]
fn a_process_that_missed_deletions_reads_everything_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut here) = open(dir.path());
    call(&mut one, &mut here, "CreateQueue", "a");
    let (mut late, mut there) = open(dir.path());
    call(&mut one, &mut here, "DeleteQueue", "a");
    // The next process to open the sandbox forgets that there was a queue.
    let (third, _) = open(dir.path());
    let ask = "SELECT count(*) FROM things WHERE value IS NULL";
    let left: i64 = database(&third).query_one(ask, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    assert_eq!(queues(&mut late, &mut there), [""; 0]);
    assert_eq!(queues(&mut one, &mut here), [""; 0]);
}

#[test]
fn a_reset_is_seen_by_every_process() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut here) = open(dir.path());
    call(&mut one, &mut here, "CreateQueue", "a");
    assert!(reset(dir.path()).unwrap());
    assert!(!reset(dir.path()).unwrap());
    let (mut other, mut there) = open(dir.path());
    call(&mut other, &mut there, "CreateQueue", "b");
    assert_eq!(queues(&mut one, &mut here), ["b"]);
    // The end of a process whose file is gone harms nobody.
    assert!(reset(dir.path()).unwrap());
    let (mut last, mut seen) = open(dir.path());
    call(&mut last, &mut seen, "CreateQueue", "c");
    drop((one, other));
    assert_eq!(queues(&mut last, &mut seen), ["c"]);
    assert_eq!(afresh(dir.path()), ["c"]);
}

#[test]
fn concurrent_writers_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (mut store, mut world) = open(dir.path());
                for _ in 0..25 {
                    make(&mut store, &mut world);
                }
            });
        }
    });
    assert_eq!(open(dir.path()).1.base.made, 100);
}

const KILLED: &str = "PAYCTL_TEST_SANDBOX_TO_KILL";

/// What the next test kills: it writes, and says what was acknowledged.
#[test]
fn a_writer_that_is_killed() {
    let Ok(dir) = std::env::var(KILLED) else { return };
    let (mut store, mut world) = open(Path::new(&dir));
    let mut out = io::stderr();
    for number in 0.. {
        call(&mut store, &mut world, "CreateQueue", &format!("q{number}"));
        if number > 3 {
            call(&mut store, &mut world, "DeleteQueue", &format!("q{}", number - 3));
        }
        writeln!(out, "made {number}").unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    for round in 0..8 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::a_writer_that_is_killed", "--nocapture"])
            .env(KILLED, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stderr.take().unwrap()).lines();
        let wanted = 1 + round * 7;
        let mut lines = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("made ").and_then(|number| number.parse::<u64>().ok())
        });
        let mut last = lines.by_ref().find(|number| *number >= wanted).expect("it writes");
        writer.kill().unwrap();
        writer.wait().unwrap();
        last = lines.last().unwrap_or(last);
        let here = queues(&mut store, &mut world);
        assert!(here.contains(&format!("q{last}")), "q{last} is lost: {here:?}");
        assert_eq!(afresh(dir.path()), here);
        let check = "PRAGMA integrity_check";
        let check: String = database(&store).query_one(check, [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        for name in here {
            call(&mut store, &mut world, "DeleteQueue", &name);
        }
    }
}

#[test]
fn reads_do_not_write() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    let turn = |store: &Store| head(database(store)).unwrap().turn;
    let before = turn(&store);
    made(&mut store, &mut world);
    assert_eq!(turn(&store), before);
    make(&mut store, &mut world);
    assert_eq!(turn(&store), before + 1);
}

#[test]
fn a_call_writes_as_much_in_a_large_sandbox_as_in_a_small_one() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    let mut rows = |number: usize| {
        let before = database(&store).total_changes();
        call(&mut store, &mut world, "CreateQueue", &format!("q{number}"));
        database(&store).total_changes() - before
    };
    let all: Vec<u64> = (0..1200).map(&mut rows).collect();
    assert!(all[10..].iter().all(|rows| *rows == all[10]), "{all:?}");
    assert!(all[10] < 5, "{all:?}");
    // A row that is equal to what is there costs work as well: what a call offers is as little.
    let offered = |count: usize| {
        let mut small = World::default();
        let make = |world: &mut World, number: usize| {
            let input = json!({ "QueueName": format!("q{number}") });
            ask(world, "sqs", "CreateQueue", input).unwrap();
        };
        (0..count).for_each(|number| make(&mut small, number));
        small.each(&Place::TOP, &mut |_, piece| piece.saved());
        make(&mut small, count);
        let mut rows = 0;
        small.each(&Place::TOP, &mut |_, piece| rows += piece.changes().unwrap().len());
        rows
    };
    assert_eq!(offered(1200), offered(10));
    // What another process reads of it is as little.
    let (mut other, mut there) = open(dir.path());
    call(&mut store, &mut world, "CreateQueue", "one");
    let Store::Disk(Disk { open: Some(Open { seen, .. }), .. }) = &other else { panic!() };
    let mut news = World::default();
    load(database(&other), dir.path(), &mut news, *seen).unwrap();
    let listed = ask(&mut news, "sqs", "ListQueues", json!({})).unwrap();
    assert_eq!(listed["QueueUrls"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(queues(&mut other, &mut there).len(), 1000, "one page of the list");
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    make(&mut store, &mut world);
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[test]
fn a_full_disk_drops_the_change_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    call(&mut store, &mut world, "CreateQueue", "a");
    database(&store).pragma_update(None, "max_page_count", 12).unwrap();
    let tags: serde_json::Map<String, Value> =
        (0..40).map(|key| (key.to_string(), "v".repeat(250).into())).collect();
    let mut error = None;
    for number in 0..20 {
        let input = json!({ "QueueName": format!("b{number}"), "tags": tags });
        let made = store.run(&mut world, false, |world| ask(world, "sqs", "CreateQueue", input));
        if let Err(refused) = made {
            error = Some(refused);
            break;
        }
    }
    let error = error.expect("there is no room for it").to_string();
    assert!(error.starts_with("cannot write the sandbox's "), "{error}");
    assert!(error.ends_with("state.db: database or disk is full"), "{error}");
    // The file is whole, and the process goes on with what it holds.
    let here = queues(&mut store, &mut world);
    assert_eq!(afresh(dir.path()), here);
    call(&mut store, &mut world, "CreateQueue", "c");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    call(&mut store, &mut world, "CreateQueue", "a");
    database(&store).pragma_update(None, "query_only", true).unwrap();
    let error = store.run(&mut world, false, |world| world.base.number()).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("state.db: attempt to write a readonly database"), "{error}");
    // A directory stands where the file should be.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state.db")).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("cannot open the sandbox's"), "{error}");
    assert!(error.contains("unable to open database file"), "{error}");
}

#[test]
fn a_damaged_file_is_named_and_can_be_reset() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    let check = |expected: &str| {
        let error = Store::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("state.db") && error.contains("payctl sandbox reset"));
    };
    fs::write(&file, "nonsense ".repeat(100)).unwrap();
    check("is damaged: file is not a database");
    assert!(reset(dir.path()).unwrap());
    let (mut store, mut world) = open(dir.path());
    call(&mut store, &mut world, "CreateQueue", "a");
    let damage = "UPDATE things SET value = '{\"created\":' WHERE place = 'sqs/queues'";
    database(&store).execute(damage, []).unwrap();
    drop(store);
    check("is damaged: sqs/queues eu-west-1|a: EOF");
    assert!(reset(dir.path()).unwrap());
    let (store, _) = open(dir.path());
    database(&store).execute("DROP TABLE things", []).unwrap();
    drop(store);
    check("is damaged: no such table: things");
    assert!(reset(dir.path()).unwrap());
    let (store, _) = open(dir.path());
    database(&store).pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    check("has format 7; this version of payctl reads only format 2");
    assert!(reset(dir.path()).unwrap());
    assert_eq!(open(dir.path()).1.base.made, 0);
}

#[test]
fn damage_at_run_time_is_an_error_instead_of_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    make(&mut store, &mut world);
    let (mut other, mut there) = open(dir.path());
    make(&mut other, &mut there);
    let damage = "UPDATE things SET value = 'nonsense' WHERE place = 'base'";
    database(&other).execute(damage, []).unwrap();
    let result = store.run(&mut world, true, |world| world.base.made);
    assert!(matches!(result, Err(SandboxError::Damaged { .. })));
}

#[test]
fn the_file_of_an_earlier_version_is_taken_in_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    let old = json!({
        "version": 1, "stamp": "0", "world": {
            "base": { "made": 7 },
            "sqs": { "queues": { "eu-west-1|old": { "created": 1.5 } } },
            "ec2": { "regions": { "eu-west-1": {
                "public_addresses": 3, "vpcs": { "vpc-1": { "cidr": "10.0.0.0/16" } },
            } } },
        },
    });
    fs::write(&file, old.to_string()).unwrap();
    let (mut store, mut world) = open(dir.path());
    assert_eq!(
        (made(&mut store, &mut world), queues(&mut store, &mut world)),
        (7, vec!["old".into()])
    );
    // Word is left for the earlier version, which would begin anew otherwise.
    let word: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(word["version"], 2);
    call(&mut store, &mut world, "DeleteQueue", "old");
    make(&mut store, &mut world);
    drop(store);
    let (mut store, mut world) = open(dir.path());
    assert_eq!(made(&mut store, &mut world), 8);
    assert_eq!(queues(&mut store, &mut world), [""; 0]);
    let kept = serde_json::to_value(&world).unwrap();
    let region = &kept["ec2"]["regions"]["eu-west-1"];
    assert_eq!(region["public_addresses"], 3);
    assert!(region["vpcs"]["vpc-1"].is_object(), "{region}");
}

#[test]
fn a_damaged_file_of_an_earlier_version_is_named_and_can_be_reset() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    let check = |content: &str, expected: &str| {
        fs::write(&file, content).unwrap();
        let error = Store::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("state.json") && error.contains("payctl sandbox reset"));
    };
    check("", "is damaged: it is empty");
    check("{\"version\":1,\"world\":{\"base\"", "is damaged: EOF");
    check("[]", "is damaged");
    check("{\"version\":1,\"world\":{\"base\":7}}", "is damaged: invalid type");
    check("{\"version\":7,\"universe\":{}}", "has format 7; this version of payctl reads only");
    assert!(reset(dir.path()).unwrap());
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn everything_that_a_world_holds_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, mut world) = open(dir.path());
    call(&mut store, &mut world, "CreateQueue", "a");
    store
        .run(&mut world, false, |world| {
            let input = json!({ "CidrBlock": "10.0.0.0/16" });
            ask(world, "ec2", "CreateVpc", input).unwrap();
        })
        .unwrap();
    let other = open(dir.path()).1;
    assert_eq!(serde_json::to_value(&other).unwrap(), serde_json::to_value(&world).unwrap());
    // The zone that the account has from the start does not come back.
    let zones = |world: &World| {
        let state = serde_json::to_value(&world.route53).unwrap();
        state["zones"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let given = zones(&world).pop().expect("a zone");
    let delete = |world: &mut World| {
        ask(world, "route53", "DeleteHostedZone", json!({ "Id": given })).unwrap()
    };
    store.run(&mut world, false, delete).unwrap();
    for _ in 0..2 {
        assert_eq!(zones(&open(dir.path()).1), [""; 0]);
    }
    // Another world replaces all of it.
    store.replace(&mut world, World::default()).unwrap();
    assert_eq!(zones(&open(dir.path()).1), [given.as_str()]);
    assert_eq!(afresh(dir.path()), [""; 0]);
}
