//! The configuration files of a daemon.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::common::Dir;
use crate::daemon::{Daemon, command, end_all, run, told};

fn write(dir: &Dir, text: &str) {
    std::fs::create_dir_all(dir.path().join("config")).unwrap();
    std::fs::write(dir.path().join("config/10.conf"), text).unwrap();
}

#[test]
fn files_are_applied_before_the_first_request_and_read_again_on_sighup() {
    let dir = Dir::new();
    write(&dir, "kernel.modprobe = /bin/echo\nkernel.usermodehelper.bset = empty\n");
    let mut daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    assert_eq!(client.get("kernel.modprobe"), "/bin/echo");
    let mask = client.get("kernel.usermodehelper.bset");
    write(&dir, "kernel.modprobe = /bin/true\nkernel.usermodehelper.bset = full\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("kernel.usermodehelper.bset: the new value needs a restart");
    daemon.logged("configuration read again");
    assert_eq!(client.get("kernel.modprobe"), "/bin/true");
    assert_eq!(client.get("kernel.usermodehelper.bset"), mask, "a mask is never widened");
    // With an error the old one stays whole.
    write(&dir, "kernel.modprobe = /bin/false\nnonsense = 1\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("unknown key");
    daemon.logged("configuration refused");
    assert_eq!(client.get("kernel.modprobe"), "/bin/true");
    for state in ["RELOADING=1", "READY=1", "RELOADING=1", "READY=1\nSTATUS=configuration refused"] {
        assert!(told(&daemon.manager).starts_with(state));
    }
}

#[test]
fn a_start_with_an_error_uses_the_last_good_configuration_or_refuses() {
    let dir = Dir::new();
    write(&dir, "nonsense = 1\n");
    let refused = command(&dir).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(64), "masks never silently start full: {text}");
    assert!(text.contains("nonsense"), "{text}");
    write(&dir, "kernel.usermodehelper.bset = cap_kill\n");
    let daemon = Daemon::start(&dir);
    let mask = daemon.connect().get("kernel.usermodehelper.bset");
    daemon.stop();
    write(&dir, "kernel.usermodehelper.bset = full\nnonsense = 1\n");
    let mut daemon = Daemon::start(&dir);
    daemon.logged("the last good configuration is used");
    assert_eq!(daemon.connect().get("kernel.usermodehelper.bset"), mask);
}

#[test]
fn rules_are_enforced_for_every_client_and_read_again_on_sighup() {
    let dir = Dir::new();
    write(&dir, "kernel.modprobe = /bin/true\n");
    let rules = dir.path().join("config/rules.d");
    std::fs::create_dir(&rules).unwrap();
    let put = |text: &str| std::fs::write(rules.join("10.rules"), text).unwrap();
    put("deny name nothing\nalow name x\n");
    let refused = command(&dir).args(["--rules", "enforce"]).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(64) && text.contains("10.rules:2:1: a rule cannot begin with `alow`"),
        "{text}"
    );
    put("deny name one\n");
    let mut daemon = Daemon::of(&dir, command(&dir).args(["--rules", "enforce"]));
    let mut client = daemon.connect();
    let mut is_denied = |name: &str| {
        let answer = client.call("Request", json!({"name": name, "wait": true}));
        answer.to_string().contains("denied by")
    };
    assert!(is_denied("one") && !is_denied("two"));
    put("deny name two\ndeny\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("the rule does not say what it is about");
    daemon.logged("rules refused: kept the old ones");
    assert!(is_denied("one") && !is_denied("two"));
    put("deny name two\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("1 rule read again");
    assert!(!is_denied("one") && is_denied("two"));
}

#[test]
fn the_profile_of_a_rule_confines_its_helper_and_profiles_are_read_again_on_sighup() {
    let dir = Dir::new();
    write(&dir, "kernel.modprobe = /bin/ls\n");
    let at = |name: &str| dir.path().join("config").join(name);
    ["rules.d", "profiles.d"].iter().for_each(|folder| std::fs::create_dir(at(folder)).unwrap());
    let rules =
        "allow helper /bin/cat profile=shut\nallow helper /bin/true profile=none\nallow name ruled profile=shut\n";
    std::fs::write(at("rules.d/10.rules"), rules).unwrap();
    let put = |text: &str| std::fs::write(at("profiles.d/shut.profile"), text).unwrap();
    put("execute = /usr /bin /lib -/lib64\n");
    let mut daemon = Daemon::of(&dir, command(&dir).args(["--rules", "enforce"]));
    daemon.logged("10.rules:2: there is no profile `none`, or it has a fault: what this rule allows is not run");
    let mut client = daemon.connect();
    let mut record = |argv: &[&str]| client.call("Run", run(argv))["record"].take();
    let confined = record(&["/bin/cat", "/etc/passwd"]);
    assert_eq!(
        (&confined["profile"], &confined["outcome"], &confined["status"]),
        (&json!("shut"), &json!("exited"), &json!(256))
    );
    let text = confined["output"]["stderr"].as_str().unwrap();
    assert!(text.contains("Permission denied"), "{confined}");
    let lacks = record(&["/bin/true"]);
    assert_eq!(
        (&lacks["outcome"], &lacks["stage"], &lacks["profile"]),
        (&json!("refused"), &json!("enforce"), &json!(null))
    );
    assert!(lacks["said"].as_str().unwrap().contains("names the profile `none`, which does not exist"), "{lacks}");
    assert_eq!(record(&["/bin/echo"])["profile"], json!(null));
    // With an error the old ones stay, whole.
    put("execute = /usr /bin /lib -/lib64\nreed = /etc\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("shut.profile:2:1: no key is called `reed`");
    daemon.logged("profiles refused: kept the old ones");
    assert_eq!(record(&["/bin/cat", "/etc/passwd"])["status"], json!(256));
    put("execute = /usr /bin /lib -/lib64\nread = /etc\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("4 profiles read again");
    let confined = record(&["/bin/cat", "/etc/passwd"]);
    assert_eq!((&confined["profile"], &confined["status"]), (&json!("shut"), &json!(0)));
    // A call names one itself, but none in place of the rule's.
    let named = |path: &str, profile: &str| {
        let mut call = run(&[path, "/etc/passwd"]);
        call["profile"] = json!(profile);
        call
    };
    let shut = client.call("Run", named("/bin/ls", "shut"))["record"].take();
    assert_eq!((&shut["profile"], &shut["status"]), (&json!("shut"), &json!(0)));
    let two = client.call("Run", named("/bin/cat", "keys"))["record"].take();
    let words = "the profile keys was asked for, and the rule names the profile shut";
    assert!(two["said"].as_str().unwrap().starts_with(words) && two["pid"].is_null(), "{two}");
    let (_, parameters) = client.refused("Run", named("/bin/ls", "kyes"));
    assert!(parameters.contains("there is no profile `kyes`"), "{parameters}");
    // A request names one for modprobe in the same way.
    let asks = |name: &str, profile: &str| json!({"name": name, "profile": profile});
    let shut = client.call("Request", asks("free", "shut"))["record"].take();
    assert_eq!((&shut["profile"], &shut["path"]), (&json!("shut"), &json!("/bin/ls")));
    let two = client.call("Request", asks("ruled", "keys"))["record"].take();
    assert!(two["said"].as_str().unwrap().starts_with(words) && two["pid"].is_null(), "{two}");
    let (_, parameters) = client.refused("Request", asks("free", "kyes"));
    assert!(parameters.contains("there is no profile `kyes`"), "{parameters}");
}

#[test]
fn rules_that_were_ordered_off_are_not_read_and_a_daemon_starts_with_faults_in_them() {
    let dir = Dir::new();
    write(&dir, "kernel.modprobe = /bin/true\n");
    let rules = dir.path().join("config/rules.d");
    std::fs::create_dir(&rules).unwrap();
    let put = |text: &str| std::fs::write(rules.join("10.rules"), text).unwrap();
    let path = |name: &str| dir.path().join(name);
    let shim = path("shim/verdicts");
    std::fs::create_dir(path("shim")).unwrap();
    let serve = || {
        let mut command = command(&dir);
        command.args(["--rules", "enforce"]).arg("--shim-socket").arg(&shim);
        command
    };
    let order = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_khelper"));
        command.arg("rules").args(args).arg("--shim-socket").arg(&shim);
        let places = [("--ledger", path("ledger")), ("--config", path("config"))];
        places.iter().for_each(|(option, path)| _ = command.arg(option).arg(path));
        assert!(command.output().unwrap().status.success(), "{args:?}");
    };
    put("deny name one\n");
    order(&["enforce"]);
    put("alow name x\n");
    // An order to enforce them is as the option.
    assert_eq!(serve().output().unwrap().status.code(), Some(64));
    order(&["off", "--now"]);
    let mut daemon = Daemon::of(&dir, &mut serve());
    daemon.logged("the rules: off, by ");
    daemon.connect().call("Request", json!({"name": "x", "wait": true}));
    // Put right, they are enforced by the next order, as the daemon was started.
    put("deny name one\n");
    order(&["enforce"]);
    daemon.logged("the rules: enforce, by ");
    let answer = daemon.connect().call("Request", json!({"name": "one", "wait": true}));
    assert!(answer.to_string().contains("denied by"), "{answer}");
}

#[test]
fn the_mode_of_the_rules_is_a_knob_and_its_value_is_the_order_in_the_file() {
    let dir = Dir::new();
    write(&dir, "kernel.modprobe = /bin/true\n");
    std::fs::create_dir(dir.path().join("config/rules.d")).unwrap();
    std::fs::write(dir.path().join("config/rules.d/10.rules"), "deny name one\n").unwrap();
    let mut daemon = Daemon::of(&dir, command(&dir).args(["--rules", "audit"]));
    let mut client = daemon.connect();
    const KEY: &str = "khelper.rules.mode";
    let order = || std::fs::read_to_string(dir.path().join("rules.mode")).unwrap();
    let is_denied = |client: &mut crate::daemon::Client, name: &str| {
        client.call("Request", json!({"name": name, "wait": true})).to_string().contains("\"denied by")
    };
    let place =
        |client: &mut crate::daemon::Client| client.call("List", json!({"keys": [KEY]}))["knobs"][0]["where"].clone();
    assert_eq!(client.get(KEY), "audit");
    assert!(!is_denied(&mut client, "one"));
    // On trial, and confirmed.
    let set = client.call("Set", json!({"writes": [{"key": KEY, "text": "enforce 10m"}]}));
    assert!(set.to_string().contains("then audit again"), "{set}");
    assert!(client.get(KEY).starts_with("enforce ") && order().contains("then usual"), "{}", order());
    assert!(is_denied(&mut client, "one") && !is_denied(&mut client, "two"));
    assert!(place(&mut client)["actor"].is_object());
    client.set(KEY, "enforce");
    assert!(client.get(KEY) == "enforce" && order().ends_with("\nenforce\n"), "{}", order());
    // What another process orders is seen.
    let mut off = std::process::Command::new(env!("CARGO_BIN_EXE_khelper"));
    off.args(["rules", "off", "--now"]).arg("--ledger").arg(dir.path().join("ledger"));
    off.arg("--shim-socket").arg(dir.path().join("none/verdicts"));
    let output = off.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(client.get(KEY), "off");
    assert!(place(&mut client)["file"].to_string().contains("rules.mode"));
    assert!(!is_denied(&mut client, "one"));
    let state = client.call("Status", json!({}))["state"]["rules"].clone();
    let counts = ["allowed", "denied", "would_deny"].map(|name| state[name].as_u64().unwrap());
    assert_eq!((counts, &state["mode"]["mode"]), ([1, 1, 1], &json!("off")), "{state}");
    // What cannot be: with other knobs, for the next start, in a mode that is not one, with faulty rules.
    let write = |text: &str| json!({"key": KEY, "text": text});
    let other = json!({"key": "khelper.deny", "text": "x"});
    for (method, writes) in [
        ("Set", json!([write("audit"), other])),
        ("Persist", json!([write("audit")])),
        ("Set", json!([write("audit 10m")])),
    ] {
        let (name, _) = client.refused(method, json!({"writes": writes}));
        assert_eq!(name, "InvalidValue", "{method} {writes}");
    }
    std::fs::write(dir.path().join("config/rules.d/10.rules"), "alow name one\n").unwrap();
    let refused = client.refused("Set", json!({"writes": [write("enforce")]}));
    assert!(refused.1.contains("10.rules:1:1") && client.get(KEY) == "off", "{refused:?}");
    daemon.logged("the rules: off, by ");
}

/// The drain of the gate fails while a helper runs: the rest is applied, and that is what is said.
#[test]
fn a_reload_whose_gate_cannot_be_drained_says_what_was_applied() {
    let dir = Dir::new();
    let fifo = dir.fifo("end");
    write(&dir, "kernel.modprobe = /bin/echo\n");
    let mut daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    // A call that waits for its helper is what a drain waits for.
    let mut waiting = daemon.connect();
    waiting.send_more("Run", run(&["/bin/cat", &fifo]));
    let pid = [waiting.values(), waiting.values()][1]["pid"].as_i64().unwrap();
    write(&dir, "kernel.modprobe = /bin/true\nkhelper.gate = disabled\n");
    daemon.signal(Signal::SIGHUP);
    daemon.logged("not applied: ");
    daemon.logged("configuration applied, but for what is named above");
    assert_eq!((client.get("kernel.modprobe"), client.get("khelper.gate")), ("/bin/true".into(), "enabled".into()));
    end_all(&fifo, &[pid]);
}

#[test]
fn auth_5_what_is_kept_is_in_the_last_good_configuration_and_its_removal_leaves_an_event() {
    let dir = Dir::new();
    write(&dir, "khelper.allow = good*\n");
    let mut daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let last = || std::fs::read_to_string(dir.path().join("last-good")).unwrap();
    assert!(last().contains("khelper.allow") && !last().contains("khelper.deny"), "{}", last());
    client.call("Persist", json!({"writes": [{"key": "khelper.deny", "text": "evil*"}]}));
    assert!(last().contains("khelper.allow = good*\n") && last().contains("khelper.deny = evil*\n"), "{}", last());
    client.call("Unpersist", json!({"keys": ["khelper.deny"]}));
    assert!(last().contains("khelper.allow = good*\n") && !last().contains("khelper.deny"), "{}", last());
    daemon.logged("no longer kept for the next start: khelper.deny, by \"");
    loop {
        let lines = client.call("Log", json!({}))["lines"].take();
        let mut kinds = lines.as_array().unwrap().iter().map(|line| &line["what"]["changed"]["kind"]["unpersisted"]);
        if let Some(event) = kinds.find(|event| !event.is_null()) {
            let me = u64::from(std::process::id());
            assert_eq!((&event["keys"], event["actor"]["pid"].as_u64()), (&json!(["khelper.deny"]), Some(me)));
            break;
        }
    }
}
