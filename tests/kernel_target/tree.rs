//! Who asked for what, and counters.

use serde_json::Value;

use crate::common::program::write_program;
use crate::{Fixture, errors, khelper, text};

#[test]
fn a_helper_of_a_helper_stands_below_it_and_counters_are_those_of_a_watch() {
    let Some(fixture) = Fixture::new() else { return };
    // An agent that empties a cgroup itself, and lives on.
    let agent = fixture.hierarchy.agent().with_file_name("outer");
    // The kernel may start it in another mount namespace.
    let root = format!("/proc/{}/root{}", std::process::id(), fixture.hierarchy.root().display());
    let script = format!(
        "#!/bin/sh\ncase $1 in *outer*) mkdir {root}/inner && echo 1 > {root}/inner/notify_on_release && \
         echo 0 > {root}/inner/tasks && echo 0 > {root}/tasks;; esac\nexec sleep 1000\n"
    );
    write_program(&agent, script);
    fixture.hierarchy.set_agent(&agent);
    fixture.hierarchy.start(0, 1, 1, |_| ("outer".to_owned(), 0));
    fixture.until(&["log", "--outcome", "running"], |said| said.matches("/outer\"").count() == 2);
    let rows: Vec<Value> =
        text(&fixture.over(&["ps", "--json"])).lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let ours: Vec<&Value> = rows.iter().filter(|row| row["path"].as_str() == agent.to_str()).collect();
    let [outer, inner] = ours[..] else { panic!("{rows:?}") };
    assert_eq!((outer.get("asked_by"), &inner["asked_by"]), (None, &outer["id"]));
    let tree = text(&fixture.over(&["ps", "--tree"]));
    let lines: Vec<&str> = tree.lines().filter(|line| line.contains("/outer\"")).collect();
    let of = |row: &Value| format!("#{} run \"{}\"  pid {}", row["id"], agent.display(), row["pid"]);
    assert_eq!(lines, [of(outer), format!("└ {}", of(inner))], "{tree}");
    let metrics = text(&fixture.over(&["metrics"]));
    let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    assert!(value("khelper_helpers_running ") >= Some(2.0) && value("khelper_watching ") == Some(1.0), "{metrics}");
    assert!(metrics.ends_with("# EOF\n") && !metrics.contains("khelper_slots"), "{metrics}");
    for row in [inner, outer] {
        assert!(fixture.over(&["kill", "-s", "KILL", &row["id"].to_string()]).status.success());
    }
    fixture.until(&["log", "--outcome", "killed"], |said| said.matches("/outer\"").count() == 2);
    assert!(text(&fixture.over(&["metrics"])).contains("khelper_ends_total{outcome=\"killed\"} 2\n"));
    // A list is no watch.
    for (verb, words) in [(&["ps", "--tree"][..], "who asked"), (&["metrics"], "counters")] {
        let said = khelper(&[&["--target", "kernel"], verb].concat());
        let told = errors(&said);
        assert_eq!((said.status.code(), said.stdout.len()), (Some(69), 0), "{said:?}");
        assert!(told.contains(words) && told.contains("khelper serve --watch-kernel"), "{told}");
    }
}
