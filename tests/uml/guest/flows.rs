//! What machines do that works, with the profiles of the packages in force: real modules by a real modprobe, a key by
//! request-key and keyctl, a core, and the exit status and the signal of a helper.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};

use super::asking::{self, LOG, crash, ordinary, request_key};
use super::boots::{Daemon, errors, folders, serve, until};
use super::init::Serial;
use super::shim::shim;
use super::static_helper::{core_is_whole, place};
use super::{HELPER, OWN};
use crate::watcher::Watcher;

/// First argument of the process of an ordinary user that uses these kinds.
pub const USES: &str = "khelper-guest-uses";

/// The handler of cores, in a folder from which the profile lets programs run. What it may not write in /tmp it writes
/// elsewhere.
const HANDLER: &str = "/usr/lib/handler";
const CRASHES: &str = "/var/crash";

const PROFILES: [(&str, &str); 4] = [
    ("modprobe", include_str!("../../../assets/profiles/modprobe.profile")),
    ("keys", include_str!("../../../assets/profiles/keys.profile")),
    ("cores", include_str!("../../../assets/profiles/cores.profile")),
    // What shows that a profile is in force at all.
    ("nothing", "capabilities = empty\nexecute = /usr /bin /sbin /lib -/lib64\nread = /etc /proc /sys\n"),
];

const RULES: &str = "\
allow module fuse squashfs profile=nothing
allow name * profile=modprobe
allow helper /sbin/request-key profile=keys
allow helper /usr/lib/handler /usr/lib/systemd/systemd-coredump profile=cores
deny *
";

/// The machine as a distribution has it.
pub fn distribution() {
    folders(RULES);
    for folder in
        ["/etc/khelper.d/profiles.d", "/etc/modprobe.d", "/etc/request-key.d", CRASHES, "/var/log", "/usr/lib", "/bin"]
    {
        fs::create_dir_all(folder).unwrap();
    }
    for (name, text) in PROFILES {
        fs::write(format!("/etc/khelper.d/profiles.d/{name}.profile"), text).unwrap();
    }
    for (at, program) in [("/sbin/modprobe", "kmod"), ("/sbin/request-key", "request-key")] {
        fs::remove_file(at).unwrap();
        symlink(format!("/usr/bin/{program}"), at).unwrap();
    }
    fs::copy(HELPER, HANDLER).unwrap();
    // Only root may read it.
    let options = "/etc/modprobe.d/overlay.conf";
    fs::write(options, "options overlay metacopy=Y\n").unwrap();
    fs::set_permissions(options, PermissionsExt::from_mode(0o600)).unwrap();
    fs::write("/etc/request-key.conf", "create user give* * /usr/bin/keyctl instantiate %k %d %S\n").unwrap();
    fs::create_dir_all("/run/khelper").unwrap();
    fs::write("/proc/sys/kernel/core_pattern", format!("|{HANDLER} core %e")).unwrap();
}

fn loaded(name: &str) -> bool {
    fs::read_to_string("/proc/modules").unwrap().lines().any(|line| line.starts_with(&format!("{name} ")))
}

/// Binds a socket of AF_ALG to an algorithm.
fn algorithm(kind: &[u8], name: &[u8]) -> bool {
    // SAFETY: integers, and an address that lives during the call, whose unused bytes are zero.
    unsafe {
        let socket = libc::socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0);
        let mut address: libc::sockaddr_alg = std::mem::zeroed();
        address.salg_family = u16::try_from(libc::AF_ALG).unwrap();
        address.salg_type[..kind.len()].copy_from_slice(kind);
        address.salg_name[..name.len()].copy_from_slice(name);
        let length = libc::socklen_t::try_from(size_of_val(&address)).unwrap();
        let bound = libc::bind(socket, (&raw const address).cast(), length);
        libc::close(socket);
        bound == 0
    }
}

/// A network family whose module names it, and a kind of its sockets.
const VSOCK: (&str, i32, i32) = ("vsock", libc::AF_VSOCK, libc::SOCK_STREAM);
/// Debian's module of the other one does not.
const KCM: (&str, i32, i32) = ("kcm", 41, libc::SOCK_DGRAM);

/// The other process, of an ordinary user: a network family and two kinds of crypto.
pub fn uses(name: &str) -> ExitCode {
    let (_, family, kind) = [VSOCK, KCM].into_iter().find(|family| family.0 == name).unwrap();
    // SAFETY: integers; the socket ends with this process.
    let socket = unsafe { libc::socket(family, kind, 0) };
    assert!(socket >= 0, "{name}: {}", std::io::Error::last_os_error());
    assert!(algorithm(b"hash", b"blake2b-256"), "the hash is there");
    // The kind comes with its module, whether it has this algorithm or not.
    algorithm(b"skcipher", b"ecb(cipher_null)");
    ExitCode::SUCCESS
}

/// Every use, and the modules that it loads.
fn all_uses(family: &str, modules: &[&str]) {
    file_systems();
    assert!(ordinary(OWN).args([USES, family]).status().unwrap().success(), "{}", errors());
    modules.iter().for_each(|name| assert!(loaded(name), "{name}: {}", errors()));
}

/// The file systems that root mounts: one with a parameter of modprobe.d, which only root can read.
fn file_systems() {
    for folder in ["/tmp/one", "/tmp/two", "/tmp/both", "/tmp/formats"] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write("/tmp/two/file", "text").unwrap();
    let none = MsFlags::empty();
    let lower = Some("lowerdir=/tmp/one:/tmp/two");
    let mounted = mount(Some("o"), "/tmp/both", Some("overlay"), none, lower);
    assert_eq!(mounted, Ok(()), "{}", errors());
    assert_eq!(fs::read_to_string("/tmp/both/file").unwrap(), "text");
    assert_eq!(fs::read_to_string("/sys/module/overlay/parameters/metacopy").unwrap(), "Y\n");
    let mounted = mount(Some("b"), "/tmp/formats", Some("binfmt_misc"), none, None::<&str>);
    assert_eq!(mounted, Ok(()), "{}", errors());
    assert_eq!(fs::read_to_string("/tmp/formats/status").unwrap(), "enabled\n");
}

/// The raw statuses of the helpers that this starts, in the order of their ends.
pub fn ends(count: usize, start: impl FnOnce()) -> Vec<i32> {
    let mut watcher = Watcher::start().expect("a watch as root");
    start();
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| seen.len() >= count);
    watcher.end(&mut seen, &mut lost);
    seen.into_iter().map(|seen| seen.status).collect()
}

/// Asks for a key. Returns its payload and its helper's status.
fn key(name: &str) -> (Option<String>, Vec<i32>) {
    let mut payload = None;
    let ends = ends(1, || payload = request_key(name));
    (payload, ends)
}

pub fn under_profiles(serial: &mut Serial) {
    distribution();
    place(false);
    // Without a daemon they run unconfined.
    assert_eq!(key("give-one"), (Some("give-one".to_owned()), vec![0]));
    let mut daemon = Daemon::of(&mut serve("enforce"));
    let modules = ["overlay", "binfmt_misc", VSOCK.0, "blake2b", "libblake2b", "algif_skcipher", "crypto_skcipher"];
    all_uses(VSOCK.0, &modules);
    // Without any capability it is not loaded.
    asking::module("fuse");
    assert!(!loaded("fuse"), "the profile of its rule is not in force");
    assert_eq!(key("give-two"), (Some("give-two".to_owned()), vec![0]), "{}", errors());
    let _ = fs::remove_file("/tmp/core");
    let crashes = ["whole-e7", "other-k9", "other-e0"];
    let mut ends = ends(crashes.len(), || crashes.iter().for_each(|name| assert!(crash(name) > 0)));
    // A process that crashed is reaped before the handler of its core ends.
    ends.sort_unstable();
    assert_eq!(ends, [0, 9, 7 << 8], "{}", errors());
    assert!(!fs::exists("/tmp/core").unwrap(), "the profile of cores lets nothing be written there");
    core_is_whole(&format!("{CRASHES}/core"));
    assert_eq!(fs::read_to_string(LOG).unwrap(), "", "only what is confined ran");
    until(&["-t", "daemon/kernel", "status"], " 0 helpers running");
    serial.note(&format!("{} modules, a key, a core of 4 MiB, an exit status and a signal", modules.len()));
    daemon.kill();
}

/// Debian's kernels run only modprobe through the shim, by its knob: they are built without CONFIG_STATIC_USERMODEHELPER.
/// What they start for keys and cores goes on as before.
pub fn on_debian(serial: &mut Serial) {
    distribution();
    assert_eq!(shim(&["install"]).0, Some(0));
    let mut daemon = Daemon::of(&mut serve("enforce"));
    let modules = ["overlay", "binfmt_misc", KCM.0, "af_alg", "algif_hash", "blake2b_generic", "algif_skcipher"];
    all_uses(KCM.0, &modules);
    let decided = "10-boot.rules:2 (allow name * profile=modprobe): asked fs-overlay";
    until(&["-t", "daemon/kernel", "why", "fs-overlay"], decided);
    // Without any capability it is not loaded.
    asking::module("squashfs");
    assert!(!loaded("squashfs"), "the profile of its rule is not in force");
    assert_eq!(key("give-one"), (Some("give-one".to_owned()), vec![0]), "{}", errors());
    assert_eq!(ends(1, || assert!(crash("whole-e7") > 0)), [7 << 8]);
    core_is_whole("/tmp/core");
    serial.note(&format!("{} modules under the profile; a key and a core beside them", modules.len()));
    daemon.kill();
    // As root without a profile: it was the profile that stopped it.
    assert_eq!(shim(&["uninstall"]).0, Some(0));
    asking::module("squashfs");
    assert!(loaded("squashfs"));
}
