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
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use khelper::abi::verdict::{ANSWER, Answer, VERSION};
use khelper::control::module_tree::ModuleTree;
use khelper::control::rules::{Folders, Judge, Live, OrderFile};
use khelper::control::shim::{Release, Settings, is_carried, program};
use khelper::daemon::verdict::{Admit, Parts, Verdicts};
use khelper::policy::asker::may_ask;
use khelper::policy::rules::Mode;
use khelper::sys::linux::seqpacket;
use program::write_program;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};

/// What the daemon may take at most, in milliseconds: long, so that a busy machine changes nothing.
const PATIENCE: u16 = 60_000;

struct Place {
    dir: tempfile::TempDir,
    told: Arc<Mutex<Vec<String>>>,
    judge: Option<Arc<Judge>>,
    live: Option<Arc<Live>>,
}

impl Place {
    /// `None` where this build has no shim.
    fn new(rules: &str) -> Option<Self> {
        if !is_carried() {
            let _ = writeln!(std::io::stderr(), "skipped: this machine has no shim");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("rules.d")).unwrap();
        fs::write(dir.path().join("rules.d/10.rules"), rules).unwrap();
        let place = Self { dir, told: Arc::default(), judge: None, live: None };
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
        let live = live.following(OrderFile::beside(self.dir.path()), self.path("rules.bin"), Arc::new(say));
        self.answer_by(Arc::new(live), admit)
    }

    fn answer_by(&mut self, live: Arc<Live>, admit: Admit) -> Verdicts {
        self.live = Some(live.clone());
        let _ = fs::remove_file(self.path("socket"));
        let told = self.told.clone();
        let tell = move |_: i32, _: &_, sentence: &str| told.lock().unwrap().push(sentence.to_owned());
        let judge = Arc::new(Judge::new(live, Arc::new(tell)));
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
    assert!(Answer::read(&received(&fd)).unwrap().has(khelper::abi::verdict::ALLOW));
    assert_eq!(code(&place.request("vfat")), 0);
    assert_eq!(verdicts.unanswered().malformed, 5);
    drop(silent);
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
    assert!(!seqpacket::listens(&place.path("socket")));
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
    assert!(done == 0 && said.contains("for 2 s, then off again"), "{said}");
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
    assert!(place.order(&["status"]).1.contains(" s off again"));
    assert_eq!(place.order(&["enforce", "--confirmed"]).0, 0);
    assert!(live.mode() == Mode::Enforce && !live.goes_back());
}
