//! `cargo bench --bench shim` measures what the shim adds to a helper: the bare helper, the shim where there is no daemon,
//! and the shim with verdicts of the daemon's own listener, with and without profiles. Each is started by vfork(2) and
//! waited for, one after the other in every round, so that what the machine does meanwhile meets all of them. The bench
//! prints medians and quartiles of the differences in each round, and fails above the limits of issue 17: 120 us more
//! without a daemon, 200 us more with a profile of capabilities (medians).
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use khelper::control::module_tree::ModuleTree;
use khelper::control::profiles::{self, Live as Profiles};
use khelper::control::rules::{Folders, Judge, Live};
use khelper::control::shim::{Release, Settings, is_carried, program};
use khelper::daemon::verdict::{Parts, Verdicts};
use khelper::policy::rules::Mode;
use khelper::sys::linux::seqpacket;

const ROUNDS: usize = 2000;
const WARM: usize = 50;
const HELPER: &str = "/bin/true";
/// A profile of capabilities, and one of everything that costs little.
const PROFILES: [(&str, &str); 2] = [
    ("capabilities", "capabilities = sys_module\nno_new_privs = yes\n"),
    (
        "paths",
        "capabilities = sys_module\nread = /etc /proc /sys\nexecute = /usr /bin /lib -/lib64\nrlimit.nofile = 64\n",
    ),
];

/// Writes a shim that asks at `socket`.
fn shim(folder: &Path, name: &str, socket: &Path) -> PathBuf {
    let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
    let settings = Settings {
        release: Release::own(),
        kept: false,
        fails_closed: false,
        patience: 60_000,
        modprobe: HELPER.into(),
        socket: bytes(socket),
        rules: bytes(&folder.join("rules.bin")),
    };
    let path = folder.join(name);
    fs::write(&path, program(&settings).unwrap()).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A listener whose every helper has this profile, if there is one.
fn listener(folder: &Path, profile: Option<(&str, &str)>) -> (Verdicts, PathBuf) {
    let name = profile.map_or("plain", |(name, _)| name);
    let own = folder.join(format!("{name}.d"));
    fs::create_dir_all(own.join("rules.d")).unwrap();
    fs::create_dir_all(own.join("profiles.d")).unwrap();
    let attribute = profile.map(|(name, _)| format!(" profile={name}")).unwrap_or_default();
    fs::write(own.join("rules.d/10.rules"), format!("deny name sctp dccp\nallow name *{attribute}\n")).unwrap();
    if let Some((name, text)) = profile {
        fs::write(own.join(format!("profiles.d/{name}.profile")), text).unwrap();
    }
    let modules = ModuleTree::new(own.join("none"), Vec::new());
    let live = Live::load(Folders::only(own.join("rules.d")), modules, Mode::Enforce).unwrap();
    let (profiles, faults) = Profiles::load(profiles::Folders::only(own.join("profiles.d")));
    assert!(faults.is_empty(), "{faults:?}");
    let judge = Judge::new(Arc::new(live), Arc::new(|_, _: &_, _: Option<&str>, _: Option<&_>| {}));
    let judge = Arc::new(judge.profiles(Arc::new(move |name| profiles.get(name))));
    let socket = own.join("socket");
    let parts = Parts {
        socket: seqpacket::bound(&socket).unwrap(),
        shim: PathBuf::new(),
        judge,
        // The kernel starts no helper of a bench.
        admit: |_| Ok(()),
    };
    (Verdicts::start(parts).unwrap(), shim(folder, &format!("shim-{name}"), &socket))
}

/// The time of one helper, in microseconds.
fn run(program: &Path) -> f64 {
    let mut command = Command::new(program);
    // As the kernel does, which gives a helper no open file and three variables.
    command.arg0(program).args(["-q", "--", "vfat"]).env_clear().env("HOME", "/").env("TERM", "linux");
    command.env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let from = Instant::now();
    let status = command.spawn().unwrap().wait().unwrap();
    let took = from.elapsed().as_nanos() as f64 / 1000.0;
    assert!(status.success(), "{}: {status}", program.display());
    took
}

fn quartiles(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    [1, 2, 3].map(|q| all[(all.len() - 1) * q / 4])
}

fn main() {
    if !is_carried() || !nix::unistd::geteuid().is_root() {
        println!("not measured: this needs root, and a machine that has a shim");
        return;
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{cores} cores, Linux {}, load {}", kernel.trim(), load.split(' ').next().unwrap_or_default());
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (_plain, plain) = listener(at, None);
    let confined = PROFILES.map(|profile| listener(at, Some(profile)));
    let groups: [(&str, PathBuf, Option<f64>); 5] = [
        ("the bare helper", HELPER.into(), None),
        ("the shim, no daemon", shim(at, "shim-alone", &at.join("nobody")), Some(120.0)),
        ("the shim, a verdict", plain, None),
        ("the shim, a profile of capabilities", confined[0].1.clone(), Some(200.0)),
        ("the shim, capabilities, paths, a limit", confined[1].1.clone(), None),
    ];
    let mut times = vec![Vec::new(); groups.len()];
    for round in 0..WARM + ROUNDS {
        for (all, (_, program, _)) in times.iter_mut().zip(&groups) {
            let took = run(program);
            if round >= WARM {
                all.push(took);
            }
        }
    }
    let bare = times[0].clone();
    let mut over = Vec::new();
    for ((name, _, limit), all) in groups.iter().zip(times) {
        let more = quartiles(all.iter().zip(&bare).map(|(with, without)| with - without).collect());
        let [low, median, high] = quartiles(all);
        let [more_low, more_median, more_high] = more;
        println!(
            "{name:<40} {median:>8.1} us  ({low:.1} to {high:.1}); {more_median:+.1} us  ({more_low:+.1} to {more_high:+.1})"
        );
        over.extend(limit.filter(|limit| more_median > *limit).map(|limit| format!("{name}: over {limit} us")));
    }
    assert!(over.is_empty(), "{over:?}");
}
