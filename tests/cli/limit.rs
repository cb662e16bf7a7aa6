//! The limit on requests in progress, from the command line.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use crate::{Helpers, khelper, modprobe, run};

/// Asks `total` times at once with helpers that do not end until the first `refused` answers are here. The records,
/// stderr and the exit code.
fn flood(total: usize, refused: usize, settings: &[&str]) -> (Vec<Value>, String, Option<i32>) {
    let helpers = Helpers::new();
    let mut barrier = helpers.barrier();
    let script = helpers.script("wait", &barrier.wait());
    let (all, total) = (total, total.to_string());
    let mut command = khelper();
    command.args(modprobe(&script)).args(settings);
    command.args(["request", "--json", "--parallel", &total, "--repeat", &total, "x"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let parse = |line: std::io::Result<String>| serde_json::from_str::<Value>(&line.unwrap()).unwrap();
    let mut records: Vec<_> = lines.by_ref().take(refused).map(parse).collect();
    barrier.release(all);
    records.extend(lines.map(parse));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (records, stderr, child.wait().unwrap().code())
}

const RUNAWAY: &str = "khelper: request_module: runaway loop modprobe x\n";

#[test]
fn req_4_of_51_at_once_the_51st_is_refused() {
    let (records, stderr, code) = flood(51, 1, &[]);
    assert_eq!(records.len(), 51);
    assert_eq!((&records[0]["outcome"], &records[0]["errno"]), (&"refused".into(), &"ENOMEM".into()));
    assert!(records[1..].iter().all(|r| r["outcome"] == "exited"));
    assert_eq!(stderr.matches(RUNAWAY).count(), 1, "{stderr}");
    assert_eq!(code, Some(75));
}

#[test]
fn req_4_60_refusals_give_5_messages() {
    let (records, stderr, code) = flood(110, 60, &[]);
    assert_eq!(records.iter().filter(|r| r["errno"] == "ENOMEM").count(), 60);
    assert_eq!(records.iter().filter(|r| r["outcome"] == "exited").count(), 50);
    assert_eq!(stderr.matches(RUNAWAY).count(), 5, "{stderr}");
    assert_eq!(code, Some(75));
}

#[test]
fn req_5_the_current_era_waits_for_a_slot_and_gives_up_after_5_s() {
    let (records, stderr, code) = flood(3, 2, &["--set", "khelper.era=current", "--set", "khelper.max_concurrent=1"]);
    assert!(
        records[..2].iter().all(|r| r["errno"] == "ETIME" && r["ended_us"].as_u64() >= Some(5_000_000)),
        "{records:?}"
    );
    assert_eq!(records[2]["outcome"], "exited");
    let message =
        "request_module: modprobe x cannot be processed, kmod busy with 1 threads for more than 5 seconds now";
    assert_eq!(stderr.matches(message).count(), 2, "{stderr}");
    assert_eq!(code, Some(75));
}

#[test]
fn req_5_80_callers_with_short_helpers_are_all_served() {
    let ran = run([
        "--set",
        "khelper.era=current",
        "--set",
        "kernel.modprobe=/bin/true",
        "request",
        "--json",
        "--parallel",
        "80",
        "--repeat",
        "80",
        "x",
    ]);
    assert_eq!(ran.exits(0).records().iter().filter(|r| r["outcome"] == "exited").count(), 80);
}
