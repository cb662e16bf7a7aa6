//! UMH-6 and UMH-9: what a helper reads leaves no descriptor behind, neither in the helper nor in its worker. One test:
//! it looks at every worker of its process.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{info, stdout};
use khelper::abi::launch_spec::Stdin;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;

/// What the descriptors of each worker of this process refer to, by thread: each has a table of its own.
fn workers() -> BTreeMap<PathBuf, Vec<PathBuf>> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_worker =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.starts_with("khelper-worker"));
    // A worker may end meanwhile.
    let descriptors = |task: &Path| -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(task.join("fd"))?.map(|fd| fs::read_link(fd?.path())).collect()
    };
    tasks.filter(is_worker).filter_map(|task| Some((task.clone(), descriptors(&task).ok()?))).collect()
}

fn with_data(engine: &Engine, argv: &[&str]) -> Arc<Record> {
    let hooked = info(argv).init(|birth| {
        birth.stdin = Stdin::Data(b"some data\n".to_vec());
        Ok(())
    });
    engine.call_usermodehelper(hooked, WaitMode::PROC)
}

#[test]
fn umh_9_the_data_of_stdin_leave_no_descriptor_behind() {
    let engine = Engine::start().unwrap();
    assert_eq!(stdout(&with_data(&engine, &["/bin/cat"])), "some data\n");
    let listed = stdout(&with_data(&engine, &["/bin/ls", "-l", "/proc/self/fd"]));
    // 0, 1, 2, and the folder that ls itself has open and lists.
    assert_eq!(listed.lines().filter(|line| line.contains(" -> ")).count(), 4, "{listed}");

    // A descriptor is closed before the caller has its answer. An answered call's worker may not be idle yet, so that
    // the next call gets another one: there are a few of them.
    let most = |workers: &BTreeMap<PathBuf, Vec<PathBuf>>| workers.values().map(Vec::len).max().unwrap();
    let before = most(&workers());
    for _ in 0..50 {
        assert_eq!(with_data(&engine, &["/bin/true"]).result, Some(0));
        assert!(with_data(&engine, &["/nonexistent"]).result < Some(0), "the data of a failed exec are dropped too");
    }
    let after = workers();
    assert!(most(&after) <= before, "{before} descriptors before, {after:?}");
    let data = |target: &PathBuf| target.to_string_lossy().contains("memfd:");
    assert!(!after.values().flatten().any(data), "{after:?}");
}
