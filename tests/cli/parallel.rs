//! `--parallel` and `--repeat`.

use crate::{Helpers, Ran, khelper, modprobe};

/// Each helper waits until all have come: one alone gives up.
fn meeting(helpers: &Helpers, all: u32) -> std::path::PathBuf {
    let folder = helpers.path("come");
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "cd {} && : > $$ || exit 2
        for i in $(seq 400); do set -- *; [ $# -ge {all} ] && exit 0; sleep 0.05; done
        exit 3",
        folder.display()
    );
    helpers.script("meet", &script)
}

#[test]
fn as_many_names_are_asked_for_at_the_same_time_as_parallel_says() {
    let helpers = Helpers::new();
    let script = meeting(&helpers, 3);
    let args = ["request", "--parallel", "3", "--json", "a", "b", "c"];
    let ran = Ran::of(khelper().args(modprobe(&script)).args(args).output().unwrap());
    assert_eq!(ran.exits(0).records().len(), 3);
}

#[test]
fn a_list_is_repeated_at_the_same_time_too() {
    let helpers = Helpers::new();
    let script = meeting(&helpers, 4);
    let args = ["request", "--parallel", "4", "--repeat", "2", "--json", "a", "b"];
    let ran = Ran::of(khelper().args(modprobe(&script)).args(args).output().unwrap());
    let mut names: Vec<_> = ran.exits(0).records().iter().map(|r| r["module"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["a", "a", "b", "b"]);
}
