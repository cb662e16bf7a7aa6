//! The verbs that look at a running engine and act on it, over a target that is not an engine of the command. Each test
//! runs this program again with `KHELPER_VERBS` set: there the real command line has a target whose engine runs on a
//! scripted host with a virtual clock.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "verbs/daemon.rs"]
mod daemon;
#[path = "common/interrupt.rs"]
mod interrupt;
#[path = "common/program.rs"]
mod program;
#[path = "verbs/rehearse.rs"]
mod rehearse;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use interrupt::hears_ctrl_c;
use khelper::abi::actor::{Actor, Origin};
use khelper::abi::escape::unescape;
use khelper::abi::event::EventKinds;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::cli;
use khelper::control;
use khelper::control::completion::{CallId, Completion};
use khelper::control::local::Local;
use khelper::control::target::{RunId, Seq, Target, TargetInfo, TargetKind};
use khelper::control::watch::{EventSource, Wake, Watch, Watched};
use khelper::engine::{CallOptions, Caller, Engine};
use khelper::sys::fake::{FOREVER, FakeHost, Script};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const HOW: &str = "KHELPER_VERBS";
const ARGS: &str = "KHELPER_VERBS_ARGS";
const BEGIN: &str = "--- the command's own output ---";
/// A module's name that would clear the screen, and bytes that are no text.
const HOSTILE: &[u8] = b"fs-\x1b[2J\xff\\";

/// A local target that says it is a daemon, so that the command does not own its engine. `lost`: its watches end with a
/// lost connection.
struct Daemon {
    target: Arc<dyn Target>,
    lost: bool,
}

impl Target for Daemon {
    fn info(&self) -> TargetInfo {
        let run = RunId { started: 1_700_000_000_000_000, pid: 700 };
        TargetInfo { kind: TargetKind::Daemon, version: "1.2.3".into(), pid: 700, uid: 3, run, ..self.target.info() }
    }
    fn submit(&self, by: &Actor, id: CallId, command: control::Command, done: Completion) {
        self.target.submit(by, id, command, done);
    }
    fn cancel(&self, id: CallId) {
        self.target.cancel(id);
    }
    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch {
        match self.lost {
            true => Watch::new(Gap(AtomicBool::new(false))),
            false => self.target.watch(kinds, from, capacity, wake),
        }
    }
}

/// A watch that begins with a gap, and then loses its connection.
struct Gap(AtomicBool);

impl EventSource for Gap {
    fn next(&self) -> Option<Watched> {
        Some(self.wait())
    }
    fn wait(&self) -> Watched {
        match self.0.swap(true, Ordering::SeqCst) {
            false => Watched::Missed(7),
            true => Watched::Closed { why: Some("the cable was cut".into()) },
        }
    }
    fn close(&self) {}
}

fn requester(pid: i32) -> Caller {
    let actor = Actor { loginuid: Some(1000), ..Actor::new(Origin::Library, pid, 7, 8, b"ba\x1bsh") };
    Caller { actor: Some(actor.into()), ..Caller::default() }
}

/// Runs a command line against an engine in which two helpers run and one module request is refused, and ends the
/// process with its exit code. The helpers have run for 2.1 s.
fn command_line(how: &str) -> ! {
    let host = FakeHost::new();
    for path in ["/sbin/modprobe", "/bin/sleep"] {
        host.script(path, Script { runs: FOREVER, ..Script::default() });
    }
    let engine = Engine::builder().host(host.clone()).start().unwrap();
    if how != "idle" {
        let asks = engine.clone();
        thread::spawn(move || asks.request_module_as(HOSTILE, true, &requester(900)));
        host.wait_for("the first helper", |now| now.running == 1);
        let info = SubprocessInfo::setup(Some(b"/bin/sleep".to_vec()), ["/bin/sleep"], HELPER_ENV).unwrap();
        let options = CallOptions { ask: requester(901), ..CallOptions::default() };
        engine.call_usermodehelper_with(info, WaitMode::NoWait, &options);
        host.wait_for("the second helper", |now| now.running == 2);
        host.advance(2_100_000);
    }
    if how == "drains" {
        let clock = host.clone();
        thread::spawn(move || {
            clock.wait_for("the drain", |now| now.on_clock == 1);
            clock.advance(5_000_000);
        });
    }
    let args = std::env::var(ARGS).unwrap();
    let args = std::iter::once("khelper").chain(args.split('\n')).map(Into::into);
    println!("\n{BEGIN}");
    let code = match cli::parse(args) {
        Ok(args) => {
            let signals = cli::signals().unwrap();
            let target: Arc<dyn Target> = Arc::new(Daemon { target: Local::shared(&engine), lost: how == "lost" });
            if let "watched" | "watched on" = how {
                let (engine, asks, goes_on) = (engine.clone(), engine.clone(), how == "watched on");
                thread::spawn(move || {
                    // The command's own subscription is the first one.
                    while engine.snapshot().watchers == 0 {
                        thread::yield_now();
                    }
                    loop {
                        asks.request_module_as(vec![b'x'; 56], true, &requester(902));
                        if !goes_on {
                            break;
                        }
                    }
                });
            }
            cli::run(&target, args.command.as_ref().expect("a command"), &args.set(), &signals)
        }
        Err(code) => code,
    };
    std::process::exit(code.into())
}

fn start(test: &str, how: &str, args: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(HOW, how).env(ARGS, args.join("\n"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The threads of the test harness would not block it, and would be ended by it.
    let block = || SigSet::from(Signal::SIGINT).thread_block().map_err(Into::into);
    // SAFETY: one system call that is safe after fork, and nothing is allocated.
    unsafe { hears_ctrl_c(&mut command).pre_exec(block) };
    command.spawn().unwrap()
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs a command line to its end.
fn ran(test: &str, how: &str, args: &[&str]) -> Ran {
    let output = start(test, how, args).wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let out = text(&output.stdout);
    let (_, out) = out.split_once(&format!("{BEGIN}\n")).unwrap_or_else(|| panic!("{out}{}", text(&output.stderr)));
    Ran { code: output.status.code(), out: out.to_owned(), err: text(&output.stderr) }
}

impl Ran {
    #[track_caller]
    fn is(&self, code: i32, out: &str, err: &str) {
        assert_eq!((self.code, &*self.out), (Some(code), out), "{}", self.err);
        assert!(self.err.contains(err) && (!err.is_empty() || self.err.is_empty()), "{}", self.err);
    }

    fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

/// In the process of a command: runs it.
fn here() {
    if let Ok(how) = std::env::var(HOW) {
        command_line(&how);
    }
}

#[test]
fn ps_lists_what_has_not_ended() {
    here();
    let ps = |how, args: &[&str]| ran("ps_lists_what_has_not_ended", how, args);
    let table = "\
TARGET  ID  PID   ELAPSED  WHAT                       REQUESTER
daemon  #1  1001  0:02.1   module \"fs-\\x1b[2J\\xff\\\\\"  \"ba\\x1bsh\" pid 900 uid 7 (login 1000)
daemon  #2  1002  0:02.1   run \"/bin/sleep\"           \"ba\\x1bsh\" pid 901 uid 7 (login 1000)
";
    ps("busy", &["ps"]).is(0, table, "");
    let tree = "\
#1 request \"fs-\\x1b[2J\\xff\\\\\"  pid 1001  holds a slot
#2 run \"/bin/sleep\"  pid 1002
";
    ps("busy", &["ps", "--tree"]).is(0, tree, "");
    ps("idle", &["ps"]).is(0, "TARGET  ID  PID  ELAPSED  WHAT  REQUESTER\n", "");
    ps("busy", &["ps", "--tree", "--json"]).is(64, "", "cannot be used with");
    ps("busy", &["--set", "khelper.era=3.4", "ps"]).is(64, "", "starts no engine");
    let all = ps("busy", &["ps", "--json"]).objects();
    let of = |name: &str| all.iter().map(|object| object[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        (of("id"), of("v"), of("target")),
        (vec![1.into(), 2.into()], vec![1.into(); 2], vec!["daemon".into(); 2])
    );
    assert_eq!((of("state"), of("outcome")), (vec!["running".into(); 2], vec!["running".into(); 2]));
    assert_eq!((of("elapsed_us"), of("holds_slot")), (vec![2_100_000.into(); 2], vec![true.into(), false.into()]));
    assert_eq!((of("pid"), of("kind")), (vec![1001.into(), 1002.into()], vec!["module".into(), "helper".into()]));
    assert_eq!(unescape(all[0]["module"].as_str().unwrap()).as_deref(), Some(HOSTILE), "can be read back");
    assert_eq!(all[1]["requester"]["pid"], 901);
}

#[test]
fn a_kill_that_is_refused_is_said() {
    here();
    let kill = |args: &[&str]| ran("a_kill_that_is_refused_is_said", "busy", args);
    kill(&["kill", "#1", "2"]).is(0, "#1: SIGTERM\n#2: SIGTERM\n", "");
    kill(&["kill", "--signal", "kill", "2"]).is(0, "#2: SIGKILL\n", "");
    kill(&["kill", "99", "1"]).is(1, "#1: SIGTERM\n", "there is no request 99 (ESRCH)");
    kill(&["kill", "--chain", "1"]).is(0, "#1: SIGTERM to its chain: #1 signalled\n", "");
    kill(&["kill", "--chain", "99"]).is(1, "", "(ESRCH)");
    kill(&["kill", "0"]).is(64, "", "give the id of a request");
    kill(&["kill", "-s", "NO", "1"]).is(64, "", "give a signal name");
    kill(&["kill"]).is(64, "", "required");
}

#[test]
fn abandon_ends_a_wait_once() {
    here();
    let abandon = |args: &[&str]| ran("abandon_ends_a_wait_once", "busy", args);
    abandon(&["abandon", "#1"]).is(0, "#1: abandoned\n", "");
    // Nobody waits for the second request, and none has the third number.
    abandon(&["abandon", "2", "1", "3"]).is(1, "#1: abandoned\n", "no caller waits for request 2 (ESRCH)");
}

#[test]
fn gate_2_the_gate_is_changed_by_its_own_words() {
    here();
    let gate = |how, args: &[&str]| ran("gate_2_the_gate_is_changed_by_its_own_words", how, args);
    gate("idle", &["gate", "freezing"]).is(0, "daemon khelper.gate: enabled → freezing\n", "");
    gate("idle", &["gate", "enabled"]).is(0, "daemon khelper.gate: enabled → enabled\n", "");
    gate("drains", &["gate", "disabled"]).is(75, "", "still running: #1 ");
    gate("idle", &["gate", "freeze"]).is(64, "", "possible values: enabled, freezing, disabled");
}

#[test]
fn status_says_what_the_engine_does() {
    here();
    let status = |args: &[&str]| ran("status_says_what_the_engine_does", "busy", args);
    let text = status(&["status"]);
    assert_eq!((text.code, &*text.err), (Some(0), ""));
    assert!(text.out.starts_with("daemon 1.2.3 pid 700 uid 3"), "{}", text.out);
    assert!(text.out.contains("; engine: 2 running, 0 queued, gate enabled, era 3.4\n"), "{}", text.out);
    assert!(
        text.out.contains("\nrequests: 2 since the start, 0 refused; slots: 1 of 50; watchers: 0, "),
        "{}",
        text.out
    );
    let all = status(&["status", "--json"]).objects();
    let [object] = &all[..] else { panic!("{all:?}") };
    for (name, value) in [("v", 1), ("pid", 700), ("uid", 3), ("running", 2), ("queued", 0), ("calls", 1), ("slots", 1)]
    {
        assert_eq!(object[name], value, "{name}");
    }
    assert_eq!(
        (&object["target"], &object["gate"], &object["draining"]),
        (&"daemon".into(), &"enabled".into(), &false.into())
    );
    assert_eq!((&object["totals"]["requests"], &object["run"]), (&2.into(), &"60a24181e4000-700".into()));
}

#[test]
fn metrics_are_printed_or_replace_a_file() {
    here();
    let metrics = |args: &[&str]| ran("metrics_are_printed_or_replace_a_file", "busy", args);
    let open = metrics(&["metrics"]);
    assert_eq!((open.code, &*open.err), (Some(0), ""));
    assert!(open.out.ends_with("\n# EOF\n") && open.out.contains("\nkhelper_helpers_running 2\n"), "{}", open.out);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("khelper.prom");
    std::fs::write(&file, "old").unwrap();
    let reader = std::fs::File::open(&file).unwrap();
    metrics(&["metrics", "--textfile", file.to_str().unwrap()]).is(0, "", "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("# TYPE khelper_ends_total counter\n") && !text.contains("EOF"), "{text}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, std::fs::read_dir(folder.path()).unwrap().count()), (0o644, 1), "nothing else is left");
    let mut old = String::new();
    (&reader).read_to_string(&mut old).unwrap();
    assert_eq!(old, "old", "the file was replaced, not overwritten");
    metrics(&["metrics", "--textfile", "/proc/no\u{1b}/x.prom"]).is(74, "", "cannot write /proc/no\\x1b/x.prom: ");
    metrics(&["metrics", "--textfile", "/"]).is(74, "", "cannot write /: ");
}

#[test]
fn watch_prints_events_until_it_is_interrupted() {
    here();
    let watch = |how, args: &[&str]| start("watch_prints_events_until_it_is_interrupted", how, args);
    let mut child = watch("watched", &["watch", "--json"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let begin = lines.by_ref().find(|line| line == BEGIN);
    assert!(begin.is_some());
    let event: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    for (name, value) in [("v", 1), ("seq", 7), ("id", 3), ("result", -36)] {
        assert_eq!(event[name], value, "{name}: {event}");
    }
    let texts = ["target", "event", "outcome", "errno", "stage"].map(|name| event[name].as_str().unwrap_or_default());
    assert_eq!(texts, ["daemon", "finished", "refused", "ENAMETOOLONG", "name"]);
    assert!(event["at"].as_str().unwrap().ends_with('Z') && event["run"] == "60a24181e4000-700", "{event}");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!((lines.next(), child.wait().unwrap().code()), (None, Some(130)));
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("interrupted") && !err.contains("kill"), "the helpers are not this command's: {err}");
}

#[test]
fn a_watch_reports_a_gap_and_a_lost_connection() {
    here();
    let watch = |args: &[&str]| ran("a_watch_reports_a_gap_and_a_lost_connection", "lost", args);
    let gap = "{\"v\":1,\"target\":\"daemon\",\"run\":\"60a24181e4000-700\",\"event\":\"missed\",\"count\":7}\n";
    watch(&["watch", "--json"]).is(69, gap, "no further events: the cable was cut");
    let gap = "- daemon missed 7 events: this reader was too slow, or the connection was lost\n";
    watch(&["watch", "--utc"]).is(69, gap, "no further events: the cable was cut");
}

#[test]
fn a_watch_ends_when_nobody_reads_it() {
    here();
    let mut child = start("a_watch_ends_when_nobody_reads_it", "watched on", &["watch", "--utc"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == BEGIN));
    // Events follow one another: one of them finds a closed pipe, however late this is.
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
