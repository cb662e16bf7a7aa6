//! Records, text, knobs.

use serde_json::json;

use crate::{Helpers, khelper, modprobe, run};

const KEYS: [&str; 44] = [
    "v",
    "target",
    "run",
    "id",
    "asked_at",
    "kind",
    "module",
    "path",
    "argv",
    "env",
    "wait",
    "origin",
    "requester",
    "pid",
    "uid",
    "comm",
    "chain",
    "outcome",
    "exit_code",
    "signal",
    "core",
    "errno",
    "stage",
    "reason",
    "raw",
    "result",
    "enforced",
    "bset",
    "inheritable",
    "own",
    "profile",
    "caps",
    "not_enforced",
    "pid",
    "queued_us",
    "started_us",
    "ended_us",
    "cpu_us",
    "max_rss_kib",
    "timed_out",
    "stdout",
    "stderr",
    "dropped_bytes",
    "",
];

#[test]
fn req_7_one_record_of_a_module_request() {
    let ran = run(["--set", "kernel.modprobe=/bin/echo", "request", "foo", "--json"]);
    let record = ran.exits(0).record();
    assert_eq!(record["argv"], json!(["/bin/echo", "-q", "--", "foo"]));
    assert_eq!(record["env"], json!(["HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"]));
    assert_eq!(record["stdout"], "-q -- foo\n");
    for (key, value) in [
        ("id", json!(1)),
        ("kind", json!("module")),
        ("module", json!("foo")),
        ("path", json!("/bin/echo")),
        ("wait", json!("proc")),
        ("outcome", json!("exited")),
        ("exit_code", json!(0)),
        ("signal", json!(null)),
        ("core", json!(false)),
        ("errno", json!(null)),
        ("raw", json!(0)),
        ("result", json!(0)),
        ("timed_out", json!(false)),
        ("stderr", json!("")),
        ("dropped_bytes", json!(0)),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    assert_eq!(record["requester"]["comm"], "khelper");
    let time = record["asked_at"].as_str().unwrap();
    assert!(time.len() == 27 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    assert_eq!(
        (&record["origin"], &record["stage"], &record["reason"]),
        (&json!("command_line"), &json!(null), &json!(null))
    );
    // The nearest link is the requester, then comes this process. Who started this process may be a guess.
    let chain = record["chain"].as_array().unwrap();
    assert!(chain.len() > 1 && chain[..2].iter().all(|link| link["known"] == true), "{chain:?}");
    assert_eq!(chain[1]["pid"], std::process::id());
    assert_eq!(record["requester"]["pid"], chain[0]["pid"]);
    assert!(record["pid"].as_i64() > record["requester"]["pid"].as_i64().min(Some(0)));
    assert!(record["queued_us"].as_u64() <= record["started_us"].as_u64());
    assert!(record["started_us"].as_u64() <= record["ended_us"].as_u64());
    for set in ["inheritable", "permitted", "effective", "bounding", "ambient"] {
        assert!(record["caps"][set].as_str().unwrap().starts_with("0x"), "{set}");
    }
}

#[test]
fn the_keys_stand_in_the_order_of_the_reference() {
    let ran = run(["--set", "kernel.modprobe=/bin/true", "request", "foo", "--json"]);
    let mut rest = ran.text();
    for key in KEYS.iter().filter(|k| !k.is_empty()) {
        let quoted = format!("\"{key}\":");
        let at = rest.find(&quoted).unwrap_or_else(|| panic!("{key} is not where it should be: {}", ran.text()));
        rest = &rest[at + quoted.len()..];
    }
    assert!(ran.text().starts_with("{\"v\":1,\"target\":\"embedded\",\"run\":\""));
    assert!(ran.text().ends_with("\"dropped_bytes\":0}\n"));
}

#[test]
fn req_11_a_raw_status_is_passed_on() {
    let ran = run(["--set", "kernel.modprobe=/bin/false", "request", "foo", "--json"]);
    let record = ran.exits(1).record();
    assert_eq!((&record["exit_code"], &record["raw"], &record["result"]), (&json!(1), &json!(256), &json!(256)));
    let text = run(["--set", "kernel.modprobe=/bin/false", "request", "foo"]);
    assert!(text.text().starts_with("foo: exit 1 (raw 256), "), "{}", text.text());
}

#[test]
fn umh_3_exec_errors_by_stage() {
    let helpers = Helpers::new();
    let unexecutable = helpers.file("unexecutable", 0o644, "#!/bin/sh\n");
    let unreadable = helpers.file("text", 0o755, "no interpreter is named here\n");
    let interpreter = helpers.file("interpreter", 0o755, "#!/nonexistent/interpreter\n");
    for (path, errno, code, number) in [
        (helpers.path("missing"), "ENOENT", 127, 2),
        (interpreter, "ENOENT", 127, 2),
        (helpers.0.path().to_owned(), "EACCES", 126, 13),
        (unexecutable, "EACCES", 126, 13),
        (unreadable, "ENOEXEC", 126, 8),
    ] {
        for ran in [
            khelper().args(["run", "--json", "--"]).arg(&path).output().unwrap(),
            khelper().args(modprobe(&path)).args(["request", "--json", "foo"]).output().unwrap(),
        ] {
            let ran = crate::Ran::of(ran);
            let record = ran.exits(code).record();
            assert_eq!(record["outcome"], "exec_failed");
            assert_eq!((&record["errno"], &record["result"]), (&json!(errno), &json!(-number)));
            assert_eq!((&record["raw"], &record["pid"]), (&json!(null), &json!(null)));
            let why = format!(" ({errno}); ");
            assert!(ran.stderr.contains(" could not be executed: ") && ran.stderr.contains(&why), "{}", ran.stderr);
        }
    }
}

#[test]
fn req_1_a_name_of_55_bytes_is_launched_and_one_of_56_is_not() {
    let ask = |n: usize| run(["--set", "kernel.modprobe=/bin/echo", "request", "--json", &"x".repeat(n)]);
    assert_eq!(ask(55).exits(0).record()["outcome"], "exited");
    let ran = ask(56);
    let record = ran.exits(64).record();
    assert_eq!((&record["outcome"], &record["errno"]), (&json!("refused"), &json!("ENAMETOOLONG")));
    assert_eq!((&record["pid"], &record["enforced"]), (&json!(null), &json!(null)));
    assert!(ran.stderr.contains("the maximum is 55") && ran.stderr.contains("shorten the name"), "{}", ran.stderr);
}

#[test]
fn umh_13_the_end_of_the_process_is_the_end() {
    // The grandchild holds the pipes and lives on: the answer does not wait for it.
    let ran = run(["run", "--json", "--", "/bin/sh", "-c", "sleep 30 & echo $!"]);
    let record = ran.exits(0).record();
    let grandchild: i32 = record["stdout"].as_str().unwrap().trim().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(grandchild);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it lives when its parent's end is answered");
}

#[test]
fn umh_1_run_has_the_environment_of_a_module_request_and_what_is_added() {
    let mut command = khelper();
    command.env("LEAK", "1").args(["run", "--env", "A=b=c", "--env", "EMPTY=", "--", "/usr/bin/env"]);
    let ran = crate::Ran::of(command.output().unwrap());
    let lines: Vec<_> = ran.exits(0).text().lines().collect();
    assert_eq!(lines[..5], ["HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", "A=b=c", "EMPTY="]);
    assert!(lines[5].starts_with("/usr/bin/env: exit 0, "), "{lines:?}");
    assert_eq!(lines.len(), 6);
}

#[test]
fn output_goes_where_the_helper_sent_it() {
    let ran = run(["-t", "embedded", "run", "--", "/bin/sh", "-c", "echo out; echo err >&2; printf last"]);
    assert!(ran.exits(0).text().starts_with("out\nlast\n/bin/sh: exit 0, "), "{}", ran.text());
    assert_eq!(ran.stderr, "err\n");
}

#[test]
fn wait_modes() {
    let exec = run(["--set", "kernel.modprobe=/bin/true", "request", "--nowait", "--json", "foo"]).record();
    assert_eq!((&exec["wait"], &exec["outcome"], &exec["result"]), (&json!("exec"), &json!("running"), &json!(0)));
    assert!(exec["pid"].is_i64());
    let none = run(["run", "--wait", "none", "--json", "--", "/bin/true"]).record();
    assert_eq!((&none["wait"], &none["outcome"], &none["result"]), (&json!("none"), &json!("running"), &json!(0)));
    // Its failure comes after its answer, and is told all the same.
    let failed = run(["run", "--wait", "none", "--", "/nonexistent"]);
    assert!(
        failed.exits(0).stderr.contains("could not be executed: No such file or directory (ENOENT)"),
        "{}",
        failed.stderr
    );
}

#[test]
fn umh_14_a_helper_that_nobody_waits_for_is_left_at_once() {
    let helpers = Helpers::new();
    let mut barrier = helpers.barrier();
    // It ends only after we let it: if khelper waited for it, this would wait forever.
    let pid = run(["run", "--wait", "exec", "--json", "--", "/bin/sh", "-c", &barrier.wait()]).exits(0).record();
    assert!(pid["pid"].is_i64());
    run(["run", "--wait", "none", "--", "/bin/sh", "-c", &barrier.wait()]).exits(0);
    barrier.release(2);
}

#[test]
fn several_names_are_answered_in_order_and_repeated() {
    let ran = run(["--set", "kernel.modprobe=/bin/true", "request", "--repeat", "2", "--json", "a", "b", "c"]);
    let names: Vec<_> = ran.exits(0).records().iter().map(|r| r["module"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c", "a", "b", "c"]);
    let ran =
        run(["--set", "kernel.modprobe=/bin/true", "request", "--parallel", "3", "--repeat", "20", "--json", "a"]);
    assert_eq!(ran.exits(0).records().len(), 20);
}

#[test]
fn get_reads_as_sysctl_does() {
    let all = run(["-t", "embedded", "get", "-a"]);
    let lines: Vec<_> = all.exits(0).text().lines().map(|l| l.split(" = ").next().unwrap().to_owned()).collect();
    assert_eq!(lines.len(), 14, "{}", all.text());
    assert!(all.text().contains("kernel.modprobe = /sbin/modprobe\n"));
    assert!(all.text().contains("khelper.era = 3.4\n"));
    assert_eq!(run(["-t", "embedded", "get", "kernel/modprobe"]).exits(0).text(), "kernel.modprobe = /sbin/modprobe\n");
    assert_eq!(run(["-t", "embedded", "get", "-n", "khelper.gate", "khelper.era"]).exits(0).text(), "enabled\n3.4\n");
    assert_eq!(
        run(["-t", "embedded", "get", "-e", "no.such", "khelper.gate"]).exits(0).text(),
        "khelper.gate = enabled\n"
    );
    let unknown = run(["-t", "embedded", "get", "no.such", "khelper.gate"]);
    assert_eq!(unknown.exits(64).text(), "khelper.gate = enabled\n");
    assert!(
        unknown.stderr.contains("unknown key `no.such`") && unknown.stderr.contains("get -a"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn set_writes_before_or_after_the_command_with_dots_or_slashes() {
    let ran = run([
        "--set",
        "kernel/usermodehelper/bset=cap_sys_module",
        "get",
        "--set",
        "khelper.era=current",
        "-n",
        "kernel.usermodehelper.bset",
        "khelper.era",
    ]);
    assert_eq!(ran.exits(0).text(), "65536\t0\ncurrent\n");
}

#[test]
fn sys_4_a_widening_write_is_answered_with_what_was_not_granted() {
    let bset = "kernel.usermodehelper.bset";
    let ran = run([
        "--set",
        &format!("{bset}=cap_sys_module"),
        "--set",
        &format!("{bset}=cap_sys_module,cap_chown"),
        "get",
        "-n",
        bset,
    ]);
    assert_eq!(ran.exits(0).text(), "65536\t0\n");
    assert!(ran.stderr.contains(&format!("{bset}: not granted: cap_chown;")), "{}", ran.stderr);
}

#[test]
fn sys_6_a_path_that_would_not_run_is_accepted_with_a_warning() {
    let ran = run(["--set", "kernel.modprobe=/nonexistent/modprobe", "get", "-n", "kernel.modprobe"]);
    assert_eq!(ran.exits(0).text(), "/nonexistent/modprobe\n");
    assert!(ran.stderr.contains("kernel.modprobe: warning: "), "{}", ran.stderr);
}

#[test]
fn sys_9_all_or_none_and_nothing_runs() {
    let helpers = Helpers::new();
    let ran_file = helpers.path("ran");
    let touch = helpers.script("touch", &format!(": > {}", ran_file.display()));
    let ran = khelper()
        .args(modprobe(&touch))
        .args(["--set", "kernel.usermodehelper.bset=nonsense", "request", "foo"])
        .output()
        .unwrap();
    let ran = crate::Ran::of(ran);
    assert!(ran.exits(64).stdout.is_empty());
    assert!(ran.stderr.contains("kernel.usermodehelper.bset: "), "{}", ran.stderr);
    assert!(!ran_file.exists());
}

#[test]
fn masks_in_every_form() {
    let ran = run(["mask", "--json", "65536 0", "0x10000", "CAP_SYS_MODULE", "sys_module", "4294967295 4294967295"]);
    let forms = ran.exits(0).records();
    assert_eq!(forms.len(), 5);
    for form in &forms[..4] {
        assert_eq!((&form["words"], &form["hex"]), (&json!("65536\t0"), &json!("0x0000000000010000")));
        assert_eq!(form["names"], json!(["cap_sys_module"]));
    }
    assert_eq!(forms[4]["without"], json!([]));
    let less = run(["mask", "-cap_sys_module", "--json"]).exits(0).record();
    assert_eq!(less["without"], json!(["cap_sys_module"]));
    // What masks do not do is said once, after every mask, and is no part of the JSON.
    let note = format!("note: {}", khelper::control::text::outcome::MASKS_AND_ROOT);
    let said = run(["mask", "empty", "full"]);
    let lines: Vec<String> = said.exits(0).text().lines().map(str::to_owned).collect();
    assert_eq!(lines.iter().filter(|line| **line == note).count(), 1);
    assert_eq!(lines.last(), Some(&note));
    assert!(!run(["mask", "--json", "empty"]).exits(0).text().contains("confine"));
    assert!(!run(["mask", "nonsense"]).exits(64).text().contains("confine"));
    let text = run(["mask", "empty"]);
    for row in ["words", "hex", "names", "systemd", "libcap"] {
        assert!(text.exits(0).text().contains(&format!("  {row}")), "{}", text.text());
    }
    let bad = run(["mask", "--json", "nonsense", "full", "511"]);
    assert_eq!(bad.exits(64).records().len(), 1);
    assert_eq!(bad.stderr.lines().count(), 2, "{}", bad.stderr);
}

#[test]
fn the_demo_helpers_do_what_they_say() {
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let ask = |name: &str| {
        let ran = khelper().args(modprobe(&demo.join(name))).args(["request", "--json", "dummy"]).output().unwrap();
        crate::Ran::of(ran).record()
    };
    assert_eq!(ask("quick")["stdout"], "quick: dummy\n");
    let failing = ask("failing");
    assert_eq!((&failing["exit_code"], &failing["stderr"]), (&json!(1), &json!("failing: no module dummy\n")));
}

#[test]
fn umh_2_an_empty_path_is_a_call_that_names_no_program() {
    for era in ["3.4", "current"] {
        let run = |args: &[&str]| run([&["--set", &format!("khelper.era={era}"), "run"], args].concat());
        let ran = run(&["--", ""]);
        let said = ran.exits(75).text();
        assert!(said.starts_with("'': no-op: the call's path is empty, it names no program, "), "{said}");
        let record = run(&["--json", "--", ""]).exits(75).record();
        assert_eq!((&record["outcome"], &record["result"], &record["pid"]), (&json!("noop"), &json!(0), &json!(null)));
    }
}

/// In the answer and in the reason on stderr, the same for every stage.
#[test]
fn whatever_came_to_nothing_says_its_errno() {
    let current = ["khelper.era=current", "kernel.modprobe="];
    for (set, args, words, errno) in [
        (&["kernel.modprobe=/nonexistent"][..], &["request", "x"][..], "x: exec failed", "ENOENT"),
        (&[], &["run", "--", "/etc"], "/etc: exec failed", "EACCES"),
        (&["khelper.deny=x"], &["request", "x"], "x: denied by khelper.deny", "EPERM"),
        (&["khelper.gate=disabled"], &["run", "--", "/bin/true"], "/bin/true: refused by the gate", "EBUSY"),
        (&current, &["request", "x"], "x: refused, no path to run", "ENOENT"),
        (&[], &["request", ""], "'': refused, invalid module name", "EINVAL"),
    ] {
        let set = set.iter().flat_map(|s| ["--set", s]);
        let ran = run(set.chain(args.iter().copied()));
        assert!(ran.text().starts_with(&format!("{words} ({errno})")), "{}", ran.text());
        assert_eq!(ran.stderr.matches(&format!(" ({errno}); ")).count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn umh_12_the_masks_of_a_calls_own_are_told_beside_the_knobs() {
    let run = |options: &[&str]| {
        let set = ["--set", "kernel.usermodehelper.bset=-cap_bpf", "run", "--json"];
        run([&set, options, &["--", "/bin/true"]].concat()).exits(0).record()
    };
    let whole = run(&[]);
    assert_eq!(whole["own"], json!(null));
    let own = run(&["--bset", "cap_sys_module,cap_chown", "--inheritable", "cap_chown"]);
    assert_eq!(own["own"], json!({"bset": "0x0000000000010001", "inheritable": "0x0000000000000001"}));
    assert_eq!((&own["bset"], &own["inheritable"]), (&whole["bset"], &whole["inheritable"]), "the knobs, untouched");
    let bset = run(&["--bset", "empty"]);
    assert_eq!(
        (&bset["own"]["bset"], &bset["own"]["inheritable"]),
        (&json!("0x0000000000000000"), &whole["inheritable"])
    );
}
