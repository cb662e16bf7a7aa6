//! The shim below a root of the tests' own. In user-mode Linux it stands before a real kernel's modprobe (tests/uml).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::abi::actor::Origin;
use crate::abi::error::Explain;
use crate::abi::sink::Changed;
use crate::control::text::change::changed;

/// As long as the path of the shim: a file, unlike a knob, keeps the end of a longer value.
const BEFORE: &str = "/usr/lib/programs/modprobe1";
const OWN: &str = "/usr/local/lib/khelper/shim";

struct Machine {
    root: tempfile::TempDir,
    shim: Shim,
    told: Arc<Mutex<Vec<Changed>>>,
}

impl Machine {
    fn new(modprobe: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["proc/sys/kernel", "usr/local/lib", "usr/lib/programs", "etc"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let program = root.path().join(&BEFORE[1..]);
        fs::write(&program, b"\x7fELF").unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(root.path().join("proc/sys/kernel/modprobe"), format!("{modprobe}\n")).unwrap();
        let known = CapMask::from_bits((1 << 41) - 1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let record = told.clone();
        let record: Recorder = Arc::new(move |change| record.lock().unwrap().push(change.clone()));
        let actor = Actor { effective: known, ..Actor::new(Origin::CommandLine, 0, 0, 1, b"test") };
        let shim = Shim::below(root.path(), KernelKnobs::below(root.path(), known), actor, record);
        Self { root, shim, told }
    }

    fn knob(&self) -> String {
        fs::read_to_string(self.root.path().join("proc/sys/kernel/modprobe")).unwrap().trim_end().to_owned()
    }

    fn file(&self) -> PathBuf {
        self.root.path().join(&OWN[1..])
    }
}

fn wanted() -> Wanted {
    Wanted { socket: "/run/khelper/other.sock".into(), fails_closed: true, persist: false }
}

#[test]
fn an_installed_shim_knows_what_it_replaced_and_gives_it_back() {
    let machine = Machine::new(BEFORE);
    assert_eq!(machine.shim.status().unwrap().installed, None);
    let changes = machine.shim.install(&wanted()).unwrap();
    assert_eq!((machine.knob().as_str(), changes.len()), (OWN, 1), "{}", changed(&changes).1);
    assert_eq!(fs::metadata(machine.file()).unwrap().permissions().mode() & 0o7777, 0o755);
    let status = machine.shim.status().unwrap();
    let (settings, is_current) = status.installed.clone().unwrap();
    assert!(status.is_in_force() && is_current && status.listens == Some(false), "{status:?}");
    assert_eq!((settings.modprobe.as_slice(), status.own.as_slice()), (BEFORE.as_bytes(), OWN.as_bytes()));
    assert_eq!((settings.socket.as_slice(), settings.fails_closed), (&b"/run/khelper/other.sock"[..], true));
    // Again, as an upgrade does: what it replaced is not the shim itself.
    assert_eq!(machine.shim.install(&Wanted { fails_closed: false, ..wanted() }).unwrap()[0].before.text(), OWN);
    let (settings, _) = machine.shim.status().unwrap().installed.unwrap();
    assert_eq!((settings.modprobe.as_slice(), settings.fails_closed), (BEFORE.as_bytes(), false));
    let removed = machine.shim.uninstall().unwrap();
    assert_eq!((machine.knob().as_str(), removed.file, removed.foreign), (BEFORE, true, None));
    assert!(!machine.file().exists() && !machine.file().parent().unwrap().exists());
    // The two changes of the knob have an author; the upgrade changed nothing.
    assert_eq!(machine.told.lock().unwrap().len(), 2);
    let nothing = machine.shim.uninstall().unwrap();
    assert_eq!((nothing.file, nothing.restored.len(), machine.knob().as_str()), (false, 0, BEFORE));
}

#[test]
fn a_knob_that_another_has_set_is_left_alone() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    fs::write(machine.root.path().join("proc/sys/kernel/modprobe"), "/sbin/other\n").unwrap();
    assert!(!machine.shim.status().unwrap().is_in_force());
    let removed = machine.shim.uninstall().unwrap();
    assert_eq!((removed.foreign.as_deref(), removed.file), (Some(&b"/sbin/other"[..]), true));
    assert_eq!(machine.knob(), "/sbin/other");
    assert_eq!(
        super::removed(&removed)[0],
        "kernel.modprobe is /sbin/other, which another has set: it was left as it is"
    );
}

#[test]
fn what_would_end_autoloading_is_refused() {
    let errno = |machine: &Machine| machine.shim.install(&wanted()).unwrap_err().errno();
    let off = Machine::new("");
    assert_eq!((errno(&off), off.file().exists()), (Errno::ENOENT, false));
    let early = Machine::new(BEFORE);
    fs::write(early.root.path().join("etc/initrd-release"), "").unwrap();
    assert_eq!((errno(&early), early.file().exists()), (Errno::EXDEV, false));
    let lost = Machine::new(OWN);
    assert_eq!((errno(&lost), lost.shim.uninstall().unwrap_err().errno()), (Errno::ENOENT, Errno::ENOENT));
    assert_eq!(lost.knob(), OWN);
    let long = Machine::new(BEFORE);
    let socket = PathBuf::from("/".repeat(108));
    assert_eq!(long.shim.install(&Wanted { socket, ..wanted() }).unwrap_err().errno(), Errno::ENAMETOOLONG);
    assert_eq!((long.knob().as_str(), long.file().exists()), (BEFORE, false));
}

proptest! {
    #[test]
    fn settings_are_read_as_they_were_written(
        fails_closed: bool,
        patience: u16,
        modprobe in "/[a-z]{0,254}",
        socket in "/[a-z]{0,106}",
        rules in "/[a-z]{0,106}",
    ) {
        let [modprobe, socket, rules] = [modprobe, socket, rules].map(String::into_bytes);
        let settings = Settings { fails_closed, patience, modprobe, socket, rules };
        let program = program(&settings).unwrap();
        prop_assert_eq!(program::settings(&program), Some(settings));
        prop_assert!(program.len() <= 64 * 1024);
    }

    #[test]
    fn bytes_that_are_no_shim_have_no_settings(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        prop_assert_eq!(program::settings(&bytes), None);
    }
}
