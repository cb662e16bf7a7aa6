//! The daemon's answers to the shim: the real program, a real socket, real rules (RULES.md, "The shim").
//!
//! A test cannot be a thread of the kernel, so the shims here are children of the test: the listener is given another rule
//! for who may ask, except where that rule is what is tested.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use khelper::abi::profile::Profile;
use khelper::abi::verdict::{ANSWER, Answer, VERSION};
use khelper::control::module_tree::ModuleTree;
use khelper::control::profiles::{self, Live as Profiles};
use khelper::control::rules::{Asks, Folders, Judge, Live, Open, OrderFile};
use khelper::control::shim::{Release, Settings, is_carried, program};
use khelper::daemon::verdict::{Admit, Parts, Verdicts};
use khelper::policy::asker::may_ask;
use khelper::policy::rules::Mode;
use khelper::sys::linux::seqpacket::{self, Presence, presence};
use khelper::sys::linux::waiting::Waiter;
use program::write_program;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    shutdown, socket_with,
};

/// What the daemon may take at most, in milliseconds: long, so that a busy machine changes nothing.
const PATIENCE: u16 = 60_000;

struct Place {
    dir: tempfile::TempDir,
    told: Arc<Mutex<Vec<String>>>,
    judge: Option<Arc<Judge>>,
    live: Option<Arc<Live>>,
    untaken: Arc<Mutex<Vec<i32>>>,
    /// What the kernel's trace says of each requester.
    asks: Option<Asks>,
    patience: Duration,
}

impl Place {
    /// `None` where this build has no shim.
    fn new(rules: &str) -> Option<Self> {
        if !is_carried() {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: this machine has no shim\n");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("rules.d")).unwrap();
        fs::write(dir.path().join("rules.d/10.rules"), rules).unwrap();
        let place = Self {
            dir,
            told: Arc::default(),
            judge: None,
            live: None,
            untaken: Arc::default(),
            asks: None,
            patience: Duration::from_millis(100),
        };
        let bytes = |name| place.path(name).into_os_string().into_encoded_bytes();
        let settings = Settings {
            release: Release::own(),
            kept: false,
            fails_closed: false,
            patience: PATIENCE,
            modprobe: b"/bin/echo".to_vec(),
            socket: bytes("socket"),
            rules: bytes("rules.bin"),
        };
        write_program(&place.path("shim"), program(&settings).unwrap());
        // Who gets no verdict is denied here.
        fs::write(place.path("rules.bin"), b"khrules1\x01n\x01*\x01h\x01*").unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn answer(&mut self, mode: Mode, admit: Admit) -> Verdicts {
        let modules = ModuleTree::new(self.path("none"), Vec::new());
        let live = Live::load(Folders::only(self.path("rules.d")), modules, mode).unwrap();
        self.answer_by(Arc::new(live), admit)
    }

    /// Answers by rules that follow the orders of `khelper rules`.
    fn answer_following(&mut self, mode: Mode, admit: Admit) -> Verdicts {
        let modules = ModuleTree::new(self.path("none"), Vec::new());
        let live = Live::load(Folders::only(self.path("rules.d")), modules, mode).unwrap();
        let told = self.told.clone();
        let say = move |_, line: &str| told.lock().unwrap().push(line.to_owned());
        let live = live.following(OrderFile::beside(self.dir.path()), Some(self.path("rules.bin")), Arc::new(say));
        self.answer_by(Arc::new(live), admit)
    }

    fn answer_by(&mut self, live: Arc<Live>, admit: Admit) -> Verdicts {
        self.live = Some(live.clone());
        let _ = fs::remove_file(self.path("socket"));
        let told = self.told.clone();
        let tell = move |_: &Open<'_>, _: &_, sentence: Option<&str>, profile: Option<&Profile>| {
            let told = &mut *told.lock().unwrap();
            told.extend(sentence.map(str::to_owned));
            told.extend(profile.map(|profile| format!("profile {}", profile.name)));
        };
        let (profiles, _) = Profiles::load(profiles::Folders::only(self.path("profiles.d")));
        let untaken = self.untaken.clone();
        let judge = Judge::new(live, Arc::new(tell)).profiles(Arc::new(move |name| profiles.get(name)));
        let mut judge = judge.telling_untaken(Arc::new(move |pid| untaken.lock().unwrap().push(pid)));
        if let Some(asks) = self.asks.clone() {
            judge = judge.asking(asks).with_patience(self.patience);
        }
        let judge = Arc::new(judge);
        self.judge = Some(judge.clone());
        let socket = seqpacket::bound(&self.path("socket")).unwrap();
        Verdicts::start(Parts { socket, shim: self.path("shim"), judge, admit }).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.path("shim"));
        command.env_clear().stdin(Stdio::null());
        command
    }

    /// Runs the shim as the kernel does for a module.
    fn request(&self, name: &str) -> Output {
        self.command().args(["-q", "--", name]).output().unwrap()
    }

    fn connect(&self) -> OwnedFd {
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        connect(&fd, &SocketAddrUnix::new(self.path("socket")).unwrap()).unwrap();
        fd
    }
}

impl Place {
    /// `khelper rules`, for this place.
    fn order(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
        command.arg("rules").args(args).arg("--ledger").arg(self.path("ledger")).arg("--config").arg(self.dir.path());
        let output = command.arg("--shim-socket").arg(self.path("socket")).output().unwrap();
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        (code(&output), String::from_utf8(text).unwrap())
    }
}

/// Tells of files that are put in a folder.
struct Written(OwnedFd);

impl Written {
    fn within(folder: &Path) -> Self {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&fd, folder, inotify::WatchFlags::MOVED_TO).unwrap();
        Self(fd)
    }

    /// Waits until there is one.
    fn wait(&self) {
        let patience = Timespec { tv_sec: i64::from(PATIENCE) / 1000, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience)).unwrap();
        assert_eq!(ready, 1, "nothing is written");
        let mut events = [MaybeUninit::uninit(); 4096];
        inotify::Reader::new(&self.0, &mut events).next().unwrap();
    }
}

fn waiter(uid: u32) -> Waiter {
    Waiter { ids: Some((uid, uid)), ..Waiter::default() }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn received(fd: &OwnedFd) -> Vec<u8> {
    let mut packet = vec![0; ANSWER + 1];
    let (_, length) = recv(fd, &mut packet[..], RecvFlags::empty()).unwrap();
    packet.truncate(length);
    packet
}

#[test]
fn the_rules_decide_what_the_kernel_runs() {
    let rules = "deny name sctp dccp-*\nallow helper /bin/echo\ndeny helper /bin/true\n";
    let Some(mut place) = Place::new(rules) else { return };
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    let denied = place.request("sctp");
    assert_eq!((code(&denied), &denied.stdout[..]), (1, &b""[..]));
    assert_eq!(code(&place.request("dccp_ipv4")), 1);
    let allowed = place.request("vfat");
    assert_eq!((code(&allowed), &allowed.stdout[..]), (0, &b"-q -- vfat\n"[..]));
    // Where every helper comes to one path, the program is argv[0], and a module request is known by its arguments.
    let by_path = |program: &str, args: &[&str]| code(&place.command().arg0(program).args(args).output().unwrap());
    assert_eq!((by_path("/bin/echo", &["x"]), by_path("/bin/true", &["x"])), (0, 1));
    assert_eq!((by_path("/bin/true", &["-q", "--", "vfat"]), by_path("/bin/echo", &["-q", "--", "sctp"])), (0, 1));
    let file = place.path("rules.d/10.rules");
    let at = |line| format!("{}:{line}", file.display());
    let told = place.told.lock().unwrap().clone();
    let expected = [
        format!("denied by {} (deny name sctp dccp-*): asked sctp", at(1)),
        format!("denied by {} (deny name sctp dccp-*): asked dccp_ipv4", at(1)),
        format!("allowed by {} (allow helper /bin/echo): asked /bin/echo", at(2)),
        format!("denied by {} (deny helper /bin/true): asked /bin/true", at(3)),
        format!("denied by {} (deny name sctp dccp-*): asked sctp", at(1)),
    ];
    assert_eq!(told, expected);
    let counted = place.judge.as_ref().unwrap().counted();
    assert_eq!((counted.allowed, counted.denied, counted.would_deny), (3, 4, 0));
    assert_eq!(verdicts.unanswered(), khelper::daemon::verdict::Unanswered::default());
}

#[test]
fn audit_and_learn_let_everything_run() {
    for (mode, told) in [(Mode::Audit, 1), (Mode::Learn, 0), (Mode::Off, 0)] {
        let Some(mut place) = Place::new("deny name *\n") else { return };
        let _verdicts = place.answer(mode, |_| Ok(()));
        assert_eq!(code(&place.request("sctp")), 0, "{mode:?}");
        let sentences = place.told.lock().unwrap();
        assert_eq!(sentences.iter().filter(|line| line.starts_with("would be denied by ")).count(), told, "{mode:?}");
    }
}

#[test]
fn who_asked_is_unknown_here_and_that_satisfies_a_deny_and_no_allow() {
    // No thread waits for these helpers in the kernel.
    let Some(mut place) = Place::new("allow name one uid=0-4294967294\ndeny name one\ndeny name two uid=4000000000\n")
    else {
        return;
    };
    let _verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    assert_eq!((code(&place.request("one")), code(&place.request("two")), code(&place.request("three"))), (1, 1, 0));
}

#[test]
fn the_trace_says_who_asked_where_the_threads_do_not() {
    let rules = "allow name one uid=0-4294967294\ndeny name one\ndeny name two uid=1000\n";
    let Some(mut place) = Place::new(rules) else { return };
    for (found, expected) in [
        (None, [1, 1]),
        // It was killed.
        (Some(Waiter::default()), [1, 1]),
        (Some(waiter(0)), [0, 0]),
        (Some(waiter(1000)), [0, 1]),
    ] {
        place.asks = Some(Arc::new(move |_, _| found.clone()));
        let _verdicts = place.answer(Mode::Enforce, |_| Ok(()));
        assert_eq!([code(&place.request("one")), code(&place.request("two"))], expected);
    }
}

#[test]
fn no_question_waits_for_the_requester_of_another_one() {
    let Some(mut place) = Place::new("allow name told late never uid=0\nallow name plain\ndeny name *\n") else {
        return;
    };
    place.patience = Duration::from_millis(PATIENCE.into());
    let (looked, looks) = mpsc::channel();
    let is_late_told = Arc::new(AtomicBool::new(false));
    let is_told = is_late_told.clone();
    place.asks = Some(Arc::new(move |pid, _| {
        let name = fs::read(format!("/proc/{pid}/cmdline")).unwrap().rsplit(|byte| *byte == 0).nth(1).unwrap().to_vec();
        let is_known = name == b"told" || (name == b"late" && is_told.load(Ordering::SeqCst));
        let _ = looked.send(name);
        is_known.then(|| waiter(0))
    }));
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    let waits = |name: &str| {
        let child = place.command().args(["-q", "--", name]).stdout(Stdio::null()).spawn().unwrap();
        while looks.recv().unwrap() != name.as_bytes() {}
        child
    };
    let (mut never, mut late) = (waits("never"), waits("late"));
    std::thread::scope(|scope| {
        for _ in 0..50 {
            let all = || [code(&place.request("told")), code(&place.request("plain")), code(&place.request("denied"))];
            scope.spawn(move || assert_eq!(all(), [0, 0, 1]));
        }
    });
    assert!(never.try_wait().unwrap().is_none() && late.try_wait().unwrap().is_none());
    // It is looked at again when more is known.
    is_late_told.store(true, Ordering::SeqCst);
    rustix::io::write(&*verdicts.wake(), &1u64.to_ne_bytes()).unwrap();
    assert_eq!(late.wait().unwrap().code(), Some(0));
    assert!(never.try_wait().unwrap().is_none());
    assert_eq!(verdicts.unanswered(), khelper::daemon::verdict::Unanswered::default());
    never.kill().unwrap();
    never.wait().unwrap();
}

#[test]
fn an_answer_that_nobody_takes_is_told() {
    let Some(mut place) = Place::new("deny name sctp\n") else { return };
    let _verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    let fd = place.connect();
    // As the shim does when its time is over.
    shutdown(&fd, Shutdown::Read).unwrap();
    send(&fd, b"\x01\0\x04\0\0\0/bin/x\0-q\0--\0sctp\0", SendFlags::empty()).unwrap();
    while place.untaken.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(*place.untaken.lock().unwrap(), [i32::try_from(std::process::id()).unwrap()]);
}

#[test]
fn a_process_that_the_kernel_has_not_started_gets_no_verdict() {
    let Some(mut place) = Place::new("allow *\n") else { return };
    let verdicts = place.answer(Mode::Enforce, may_ask);
    // The compiled rules decide, at once.
    assert_eq!(code(&place.request("vfat")), 1);
    assert_eq!(verdicts.unanswered().strangers, 1);
    assert!(received(&place.connect()).is_empty());
}

#[test]
fn what_is_no_question_is_no_question_and_harms_nobody() {
    let Some(mut place) = Place::new("allow *\n") else { return };
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    // They ask nothing, and stay.
    let silent: Vec<OwnedFd> = (0..100).map(|_| place.connect()).collect();
    let long = [&[VERSION, 0, 1, 0, 0, 0][..], &vec![b'x'; 20_000], b"\0"].concat();
    let wrong: [&[u8]; 5] = [b"x", b"\x02\0\x01\0\0\0x\0", b"\x01\0\xff\xff\xff\xffx\0", b"\x01\0\x01\0\0\0x", &long];
    for packet in wrong {
        let fd = place.connect();
        send(&fd, packet, SendFlags::empty()).unwrap();
        assert!(received(&fd).is_empty(), "{:?}", &packet[..1]);
    }
    let fd = place.connect();
    send(&fd, b"\x01\0\x01\0\0\0/bin/x\0", SendFlags::empty()).unwrap();
    assert!(Answer::read(&received(&fd)).unwrap().0.has(khelper::abi::verdict::ALLOW));
    assert_eq!(code(&place.request("vfat")), 0);
    assert_eq!(verdicts.unanswered().malformed, 5);
    drop(silent);
}

/// Waits until nobody listens. A child that another test starts may hold the socket until its exec.
fn is_left(socket: &Path) {
    let late = Instant::now() + Duration::from_millis(PATIENCE.into());
    while presence(socket, Timespec { tv_sec: 0, tv_nsec: 1 }) != Presence::Left {
        assert!(Instant::now() < late, "the socket stays open");
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_that_does_not_ask_is_given_up() {
    let Some(mut place) = Place::new("allow *\n") else { return };
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    let fd = place.connect();
    // Its end comes without another connection.
    assert!(received(&fd).is_empty());
    assert_eq!(verdicts.unanswered().dropped, 1);
    drop(verdicts);
    // The socket is closed: there is no daemon any more.
    is_left(&place.path("socket"));
}

#[test]
fn fifty_callers_at_once_never_get_a_denied_module() {
    let Some(mut place) = Place::new("deny name denied\n") else { return };
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    let (place, began) = (&place, Instant::now());
    std::thread::scope(|scope| {
        for caller in 0..50 {
            scope.spawn(move || {
                for _ in 0..20 {
                    let other = place.command().args(["-q", "--", "other"]).stdout(Stdio::null()).spawn().unwrap();
                    let denied = place.request("denied");
                    assert_eq!((code(&denied), &denied.stdout[..]), (1, &b""[..]), "{caller}");
                    assert_eq!(code(&other.wait_with_output().unwrap()), 0);
                }
            });
        }
    });
    let counted = place.judge.as_ref().unwrap().counted();
    assert_eq!((counted.allowed, counted.denied), (1000, 1000), "{:?}", began.elapsed());
    assert_eq!(verdicts.unanswered(), khelper::daemon::verdict::Unanswered::default());
    assert!(began.elapsed() < Duration::from_secs(300));
}

#[test]
fn an_order_holds_at_once_for_the_daemon_and_for_the_shim_without_it() {
    let Some(mut place) = Place::new("deny name sctp\n") else { return };
    let mut verdicts = place.answer_following(Mode::Off, |_| Ok(()));
    let both = |place: &mut Place, verdicts: &mut Verdicts, expected: i32| {
        assert_eq!((code(&place.request("sctp")), code(&place.request("vfat"))), (expected, 0));
        // Nobody gets a verdict now: the compiled rules decide.
        *verdicts = place.answer_following(Mode::Off, may_ask);
        assert_eq!((code(&place.request("sctp")), code(&place.request("vfat"))), (expected, 0));
        *verdicts = place.answer_following(Mode::Off, |_| Ok(()));
    };
    both(&mut place, &mut verdicts, 0);
    let (done, said) = place.order(&["enforce"]);
    assert_eq!((done, &*said), (0, "the rules are enforced\n"));
    both(&mut place, &mut verdicts, 1);
    assert_eq!(place.order(&["audit"]).0, 0);
    both(&mut place, &mut verdicts, 0);
    assert_eq!(place.order(&["enforce"]).0, 0);
    both(&mut place, &mut verdicts, 1);
    // With a fault in them the old rules stay whole, and nothing is ordered.
    fs::write(place.path("rules.d/20.rules"), "deny nam x\n").unwrap();
    assert!(place.live.as_ref().unwrap().reload().is_err());
    assert_eq!(code(&place.request("sctp")), 1);
    let (done, said) = place.order(&["enforce"]);
    assert!(done == 1 && said.contains("20.rules:1:6"), "{said}");
    assert!(place.order(&["status"]).1.contains("mode: enforce"));
    // Off needs neither rules nor a daemon.
    drop(verdicts);
    let (done, said) = place.order(&["off", "--now"]);
    assert!(done == 0 && said.contains("`khelper rules enforce`"), "{said}");
    let mut verdicts = place.answer_following(Mode::Off, |_| Ok(()));
    both(&mut place, &mut verdicts, 0);
    let (done, said) = place.order(&["status"]);
    assert!(done == 1 && said.contains("mode: off") && said.contains("the daemon gives verdicts"), "{said}");
}

#[test]
fn rules_that_are_not_confirmed_go_back_by_themselves() {
    let Some(mut place) = Place::new("deny name sctp\n") else { return };
    let none = fs::read(place.path("rules.bin")).unwrap();
    let verdicts = place.answer_following(Mode::Off, |_| Ok(()));
    assert_ne!(fs::read(place.path("rules.bin")).unwrap(), none, "rules that are off are published");
    let written = Written::within(place.dir.path());
    let (done, said) = place.order(&["enforce", "--confirm", "2s"]);
    assert!(done == 0 && said.contains("for 2 s, then the mode of `khelper serve --rules` again"), "{said}");
    let live = place.live.clone().unwrap();
    // The daemon's own clock brings it back, and the shim is told; nobody asks for anything.
    while fs::read(place.path("rules.bin")).unwrap() != b"khrules1" {
        written.wait();
    }
    assert!(!live.goes_back());
    assert_eq!((code(&place.request("sctp")), live.mode()), (0, Mode::Off));
    let (done, said) = place.order(&["enforce", "--confirmed"]);
    assert!(done != 0 && said.contains("nothing to confirm"), "{said}");
    assert_eq!(place.order(&["enforce", "--confirm", "10m"]).0, 0);
    // Another daemon, after a restart in between, goes by the same order.
    drop(verdicts);
    let _verdicts = place.answer_following(Mode::Audit, |_| Ok(()));
    let live = place.live.clone().unwrap();
    assert!(live.mode() == Mode::Enforce && live.goes_back());
    assert_eq!(code(&place.request("sctp")), 1);
    assert!(place.order(&["status"]).1.contains(" s the mode of `khelper serve --rules` again"));
    assert_eq!(place.order(&["enforce", "--confirmed"]).0, 0);
    assert!(live.mode() == Mode::Enforce && !live.goes_back());
}

/// A place whose every helper has the profile of this text; `None` without a shim, or for another user than root.
fn confined(profile: &str) -> Option<(Place, Verdicts)> {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::stderr().write_all(b"skipped: root alone can confine another process\n");
        return None;
    }
    let mut place = Place::new("allow helper /bin/cat /bin/sh /bin/mkdir profile=x\n")?;
    fs::create_dir(place.path("profiles.d")).unwrap();
    let text = profile.replace("DIR", place.dir.path().to_str().unwrap());
    fs::write(place.path("profiles.d/x.profile"), text).unwrap();
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    Some((place, verdicts))
}

impl Place {
    /// Runs a helper as the kernel does where every helper comes to one path. Returns its exit code and its output.
    fn helper(&self, args: &[&str]) -> (i32, String) {
        let output = self.command().arg0(args[0]).args(&args[1..]).output().unwrap();
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        (code(&output), String::from_utf8(text).unwrap())
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

/// The values of a key of /proc/PID/status.
fn values<'a>(status: &'a str, key: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key}: {status}")).split_whitespace().collect()
}

#[test]
fn a_helper_of_the_kernel_runs_as_the_user_and_with_the_sets_of_its_profile() {
    let text = "user = 65534\ngroup = 65533\ncapabilities = chown kill\nambient = kill\nno_new_privs = yes\n";
    let Some((place, _verdicts)) = confined(text) else { return };
    let (code, status) = place.helper(&["/bin/cat", "/proc/self/status"]);
    assert_eq!(code, 0, "{status}");
    assert_eq!((values(&status, "Uid"), values(&status, "Gid")), (vec!["65534"; 4], vec!["65533"; 4]));
    assert_eq!((values(&status, "Groups"), values(&status, "NoNewPrivs")), (Vec::new(), vec!["1"]));
    // chown is bit 0, kill is bit 5; another user than root keeps what is ambient.
    let sets = ["CapBnd", "CapPrm", "CapEff", "CapAmb"].map(|set| values(&status, set)[0].to_owned());
    assert_eq!(sets, ["0000000000000021", "0000000000000020", "0000000000000020", "0000000000000020"]);
    assert!(place.told()[0].starts_with("allowed by "), "{:?}", place.told());
    assert!(place.told()[1].starts_with("profile "), "{:?}", place.told());
}

#[test]
fn a_helper_of_the_kernel_that_stays_root_has_no_more_than_its_profile() {
    let Some((place, _verdicts)) = confined("capabilities = chown\n") else { return };
    let (_, status) = place.helper(&["/bin/cat", "/proc/self/status"]);
    assert_eq!(values(&status, "Uid"), ["0"; 4]);
    assert_eq!(
        (values(&status, "CapBnd"), values(&status, "CapEff")),
        (vec!["0000000000000001"], vec!["0000000000000001"])
    );
}

#[test]
fn a_helper_of_the_kernel_uses_the_paths_of_its_profile_alone() {
    let text = "read = /\nexecute = /usr /bin /lib -/lib64\nwrite = DIR/profiles.d\n";
    let Some((place, _verdicts)) = confined(text) else { return };
    let dir = place.dir.path().display().to_string();
    let script = format!("echo x > {dir}/profiles.d/made && echo made; echo x > {dir}/no || echo no");
    let (_, said) = place.helper(&["/bin/sh", "-c", &script]);
    if said.is_empty() && place.told()[0].contains("landlock") {
        let _ = std::io::stderr().write_all(b"skipped: this kernel has no Landlock\n");
        return;
    }
    assert!(said.starts_with("made\nno\n") && said.contains("denied"), "{said} {:?}", place.told());
    assert!(place.path("profiles.d/made").exists() && !place.path("no").exists());
    // The same ruleset serves the next one, and a new one another folder of the same name.
    fs::remove_dir_all(place.path("profiles.d")).unwrap();
    fs::create_dir(place.path("profiles.d")).unwrap();
    let (_, said) = place.helper(&["/bin/sh", "-c", &script]);
    assert!(said.starts_with("made\n"), "{said}");
}

#[test]
fn a_helper_of_the_kernel_has_the_limits_of_its_profile() {
    let Some((place, _verdicts)) = confined("rlimit.nofile = 60:70\nrlimit.core = 0\nread = /\nexecute = /\n") else {
        return;
    };
    let (_, said) = place.helper(&["/bin/cat", "/proc/self/limits"]);
    let limit = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        (limit("Max open files"), limit("Max core file size")),
        (vec!["60".into(), "70".into()], vec!["0".into(); 2])
    );
}

#[test]
fn a_helper_of_the_kernel_is_in_the_cgroup_of_its_profile() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounted = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[2] == "cgroup2");
    let below = mounted.map(|words| format!("{}/khelper-verdicts-{}", words[1], std::process::id()));
    let Some(below) = below.filter(|folder| fs::create_dir(folder).is_ok()) else {
        let _ = std::io::stderr().write_all(b"skipped: no cgroup can be made\n");
        return;
    };
    let done = confined(&format!("cgroup = {below}\n")).map(|(mut place, verdicts)| {
        let said = place.helper(&["/bin/cat", "/proc/self/cgroup"]);
        let again = place.helper(&["/bin/cat", "/proc/self/cgroup"]);
        drop(verdicts);
        place.judge = None;
        (said, again)
    });
    // Nothing runs in it any more, so it went with the daemon.
    fs::remove_dir(&below).unwrap();
    let Some((said, again)) = done else { return };
    let name = Path::new(&below).file_name().unwrap().to_str().unwrap();
    assert!(said.1.lines().any(|line| line.ends_with(&format!("/{name}/kernel-helpers"))), "{said:?}");
    assert_eq!(said, again);
}

#[test]
fn a_helper_of_the_kernel_makes_the_calls_of_its_profile_alone() {
    let Some((place, _verdicts)) = confined("deny_calls = mkdir mkdirat\n") else { return };
    let (_, status) = place.helper(&["/bin/cat", "/proc/self/status"]);
    assert_eq!((values(&status, "Seccomp"), values(&status, "NoNewPrivs")), (vec!["2"], vec!["1"]));
    let made = place.path("made");
    let (code, said) = place.helper(&["/bin/mkdir", made.to_str().unwrap()]);
    assert!(code == 1 && said.contains("not permitted") && !made.exists(), "{said}");
}

#[test]
fn a_helper_of_the_kernel_finds_every_file_system_read_only() {
    let Some((place, _verdicts)) = confined("read_only_root = yes\n") else { return };
    let script = format!("echo x > {} || echo denied", place.path("no").display());
    let (_, said) = place.helper(&["/bin/sh", "-c", &script]);
    assert!(said.contains("Read-only") && said.contains("denied"), "{said}");
    assert!(!place.path("no").exists());
    // This machine is as it was.
    fs::write(place.path("yes"), "").unwrap();
}

#[test]
fn a_helper_whose_profile_cannot_be_applied_whole_does_not_run() {
    for (profile, why) in [
        ("user = nobod y\n", "the profile x does not exist or has a fault"),
        ("cgroup = /nowhere\n", "the profile x could not be applied: a cgroup for helpers"),
        ("read = /nowhere\n", "the profile x could not be applied: "),
        ("read = /\nrlimit.nofile = 5\n", "the shim cannot apply rlimits of the profile x"),
    ] {
        let Some((mut place, verdicts)) = confined(profile) else { return };
        assert_eq!(place.helper(&["/bin/cat", "/proc/self/status"]), (1, String::new()), "{profile}");
        let told = place.told();
        assert!(told.len() == 1 && told[0].starts_with(&format!("not run, because {why}")), "{told:?}");
        assert!(told[0].contains("(allow helper /bin/cat /bin/sh /bin/mkdir profile=x): asked /bin/cat"), "{told:?}");
        let counted = place.judge.as_ref().unwrap().counted();
        assert_eq!((counted.allowed, counted.denied), (0, 1));
        // Rules that are only watched deny nothing, so they confine nothing.
        drop(verdicts);
        let _verdicts = place.answer(Mode::Audit, |_| Ok(()));
        let (code, status) = place.helper(&["/bin/cat", "/proc/self/status"]);
        assert_eq!((code, values(&status, "Uid")), (0, vec!["0"; 4]));
    }
}

#[test]
fn without_a_verdict_nothing_runs_that_must_be_confined() {
    let Some(mut place) = Place::new("allow helper /bin/cat profile=x\nallow *\n") else { return };
    // Nobody gets a verdict: the compiled rules decide.
    let _verdicts = place.answer_following(Mode::Enforce, may_ask);
    assert_eq!(place.helper(&["/bin/cat", "/proc/self/status"]), (1, String::new()));
    assert_eq!(place.helper(&["/bin/echo", "x"]), (0, "x\n".into()));
}

#[test]
fn who_is_behind_the_socket_is_told_apart() {
    let Some(mut place) = Place::new("allow *\n") else { return };
    let socket = place.path("socket");
    let within = |seconds| presence(&socket, Timespec { tv_sec: seconds, tv_nsec: 1 });
    assert_eq!(within(0), Presence::Absent);
    let admits: [Admit; 2] = [may_ask, |_| Ok(())];
    for admit in admits {
        let verdicts = place.answer(Mode::Enforce, admit);
        assert_eq!(within(i64::from(PATIENCE) / 1000), Presence::Alive);
        drop(verdicts);
        is_left(&socket);
    }
    fs::remove_file(&socket).unwrap();
    let stopped = seqpacket::bound(&socket).unwrap();
    seqpacket::open(&stopped).unwrap();
    assert_eq!(within(0), Presence::Silent);
    let (code, said) = place.order(&["status"]);
    assert!(code == 1 && said.contains("shim: the daemon does not answer, so the compiled rules decide"), "{said}");
    drop(stopped);
    let (code, said) = place.order(&["status"]);
    assert!(code == 1 && said.contains("shim: the daemon has ended without closing its socket"), "{said}");
}

#[test]
fn an_answer_that_comes_too_late_is_counted() {
    let Some(mut place) = Place::new("allow *\n") else { return };
    let verdicts = place.answer(Mode::Enforce, |_| Ok(()));
    // It asks, and has gone before its question is looked at.
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    drop(verdicts);
    let _ = fs::remove_file(place.path("socket"));
    let listener = seqpacket::bound(&place.path("socket")).unwrap();
    seqpacket::open(&listener).unwrap();
    connect(&fd, &SocketAddrUnix::new(place.path("socket")).unwrap()).unwrap();
    send(&fd, b"\x01\0\x01\0\0\0/bin/x\0", SendFlags::empty()).unwrap();
    // Not by closing alone: a child that another test starts may have a copy of it until its exec.
    shutdown(&fd, Shutdown::Both).unwrap();
    drop(fd);
    let judge = place.judge.clone().unwrap();
    let parts = Parts { socket: listener, shim: place.path("shim"), judge: judge.clone(), admit: |_| Ok(()) };
    let verdicts = Verdicts::start(parts).unwrap();
    // The next one is answered, and the one before it was counted by then.
    assert_eq!(code(&place.request("vfat")), 0);
    assert_eq!((verdicts.unanswered().late, judge.counted().allowed), (1, 1));
}
