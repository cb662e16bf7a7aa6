//! Several machines: `--host`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use khelper::control::{Command, Key};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::far::{Far, Near, script};
use crate::ran;

fn three() -> Option<[Far; 3]> {
    Some([Far::start()?, Far::start()?, Far::start()?])
}

fn three_that_act() -> Option<[Far; 3]> {
    Some([Far::that_acts()?, Far::that_acts()?, Far::that_acts()?])
}

#[test]
fn a_host_that_fails_or_is_slow_neither_hides_nor_delays_another() {
    let Some([good, mut dead, slow]) = three() else { return };
    let near = Near::new(&[("good", &good), ("dead", &dead), ("slow", &slow)]);
    good.daemon.set(Key::Deny, b"of-good");
    slow.daemon.set(Key::Deny, b"of-slow");
    dead.daemon.kill();
    let hold = slow.path("hold");
    nix::unistd::mkfifo(&hold, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let bridge = fs::read_to_string(slow.path("bin/khelper")).unwrap();
    let bridge = bridge.lines().nth(1).unwrap();
    script(&slow.path("bin/khelper"), &format!("read x < {}\n{bridge}", hold.display()));
    for (json, first, last) in [
        (false, "good: khelper.deny = of-good\n", "slow: khelper.deny = of-slow\n"),
        (
            true,
            "{\"host\":\"good\",\"v\":1,\"target\":\"ssh://good\",",
            "{\"host\":\"slow\",\"v\":1,\"target\":\"ssh://slow\",",
        ),
    ] {
        let mut args = vec!["--host", "slow,dead", "--host=good", "get", "khelper.deny"];
        args.extend(json.then_some("--json"));
        let mut child = near.khelper(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with(first), "{line}");
        line.clear();
        err.read_line(&mut line).unwrap();
        assert!(line.starts_with("dead: khelper: dead: no daemon at "), "{line}");
        // Only now.
        fs::write(&hold, "x").unwrap();
        line.clear();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with(last), "{line}");
        assert_eq!(child.wait().unwrap().code(), Some(69));
        line.clear();
        err.read_to_string(&mut line).unwrap();
        assert_eq!(line, "khelper: 1 of 3 hosts have an exit code besides 0: dead 69\n");
    }
}

#[test]
fn the_worst_exit_code_counts_and_a_write_names_its_host() {
    let Some([one, two, three]) = three_that_act() else { return };
    let near = Near::new(&[("one", &one), ("two", &two), ("three", &three)]);
    let on = |args: &[&str], code| ran(&mut near.khelper(&[&["--host", "one,two,three"], args].concat()), code);
    for far in [&one, &two, &three] {
        far.daemon.set(Key::Modprobe, b"/bin/true");
    }
    two.daemon.set(Key::Deny, b"evil");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("\n")
    };
    let asked = on(&["request", "evil"], 77);
    assert!(
        asked.out.contains("two: evil: denied by khelper.deny") && asked.out.contains("one: evil: exit 0"),
        "{}",
        asked.out
    );
    assert!(asked.err.ends_with("1 of 3 hosts have an exit code besides 0: two 77\n"), "{}", asked.err);
    let set = on(&["set", "khelper.deny=x"], 0);
    assert_eq!(sorted(&set.out), "one: khelper.deny = x\nthree: khelper.deny = x\ntwo: khelper.deny = x");
    let refused = on(&["set", "khelper.nothing=x"], 64);
    assert!(["one", "two", "three"].iter().all(|host| refused.err.contains(&format!("{host}: khelper: "))));
    // What a helper prints is shown with its host too, and its exit code counts.
    let all = on(&["run", "--", "/bin/sh", "-c", "echo a; echo b; exit 7"], 7);
    assert_eq!(all.out.matches(": a\n").count() + all.out.matches(": b\n").count(), 6, "{}", all.out);
}

#[test]
fn a_watch_of_several_hosts_has_whole_lines_and_ctrl_c_ends_all() {
    let Some([one, two, _three]) = three() else { return };
    let near = Near::new(&[("one", &one), ("two", &two)]);
    for far in [&one, &two] {
        far.daemon.set(Key::Modprobe, b"/bin/true");
    }
    let mut child = near.khelper(&["--host", "one,two", "watch", "--json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for far in [&one, &two] {
        far.is_watched(1);
    }
    let ask = |far: &Far, name: &str| {
        let name = name.as_bytes().to_vec();
        far.daemon.ask(&Command::RequestModule { name, wait: true, profile: None });
    };
    std::thread::scope(|scope| {
        for far in [&one, &two] {
            scope.spawn(move || (0..50).for_each(|at| ask(far, &format!("m{at}"))));
        }
    });
    let mut ended = [0, 0];
    let mut out = BufReader::new(child.stdout.take().unwrap());
    while ended != [50, 50] {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let at = ["one", "two"].iter().position(|host| event["host"] == *host).unwrap();
        ended[at] += usize::from(event["event"] == "finished");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    one.is_left();
    two.is_left();
}
