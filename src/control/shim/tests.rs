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

    fn set(&self, modprobe: &str) {
        fs::write(self.root.path().join("proc/sys/kernel/modprobe"), format!("{modprobe}\n")).unwrap();
    }

    fn uninstall(&self) -> Result<Removed, ControlError> {
        let mut removed = Removed::default();
        self.shim.uninstall(&mut removed).map(|()| removed)
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
    assert!(status.is_in_force() && is_current && status.daemon == Some(Presence::Absent), "{status:?}");
    assert_eq!((settings.modprobe.as_slice(), status.own.as_slice()), (BEFORE.as_bytes(), OWN.as_bytes()));
    assert_eq!((settings.socket.as_slice(), settings.fails_closed), (&b"/run/khelper/other.sock"[..], true));
    // Again, as an upgrade does: what it replaced is not the shim itself.
    assert_eq!(machine.shim.install(&Wanted { fails_closed: false, ..wanted() }).unwrap()[0].before.text(), OWN);
    let (settings, _) = machine.shim.status().unwrap().installed.unwrap();
    assert_eq!((settings.modprobe.as_slice(), settings.fails_closed), (BEFORE.as_bytes(), false));
    let removed = machine.uninstall().unwrap();
    assert_eq!((machine.knob().as_str(), removed.file, removed.foreign), (BEFORE, true, None));
    assert!(!machine.file().exists() && !machine.file().parent().unwrap().exists());
    // The two changes of the knob have an author; the upgrade changed nothing.
    assert_eq!(machine.told.lock().unwrap().len(), 2);
    let nothing = machine.uninstall().unwrap();
    assert_eq!((nothing.file, nothing.restored.len(), machine.knob().as_str()), (false, 0, BEFORE));
}

#[test]
fn a_knob_that_another_has_set_is_left_alone() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    fs::write(machine.root.path().join("proc/sys/kernel/modprobe"), "/sbin/other\n").unwrap();
    assert!(!machine.shim.status().unwrap().is_in_force());
    let removed = machine.uninstall().unwrap();
    assert_eq!((removed.foreign.as_deref(), removed.file), (Some(&b"/sbin/other"[..]), true));
    assert_eq!(machine.knob(), "/sbin/other");
    assert_eq!(
        super::removed(&removed, true)[0],
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
    assert_eq!((errno(&lost), lost.uninstall().unwrap_err().errno()), (Errno::ENOENT, Errno::ENOENT));
    assert_eq!(lost.knob(), OWN);
    let long = Machine::new(BEFORE);
    let socket = PathBuf::from("/".repeat(108));
    assert_eq!(long.shim.install(&Wanted { socket, ..wanted() }).unwrap_err().errno(), Errno::ENAMETOOLONG);
    assert_eq!((long.knob().as_str(), long.file().exists()), (BEFORE, false));
}

#[test]
fn what_is_in_the_place_of_the_shim_is_named_and_left() {
    type Put = fn(&Path);
    let places: [(&str, Put); 5] = [
        ("the file there is no shim of khelper's", |file| fs::write(file, "#!/bin/sh\n").unwrap()),
        ("is not a regular file", |file| fs::create_dir(file).unwrap()),
        ("is a symbolic link", |file| std::os::unix::fs::symlink("/usr/bin/true", file).unwrap()),
        ("a link to /dev/null is there", |file| std::os::unix::fs::symlink("/dev/null", file).unwrap()),
        ("File too large", |file| fs::File::create(file).unwrap().set_len(1 << 21).unwrap()),
    ];
    for (what, put) in places {
        let machine = Machine::new(BEFORE);
        machine.shim.install(&wanted()).unwrap();
        fs::remove_file(machine.file()).unwrap();
        put(&machine.file());
        let refused = machine.uninstall().unwrap_err();
        assert!(refused.errno() == Errno::ENOENT && refused.to_string().contains(what), "{what}: {refused}");
        assert_eq!(machine.knob(), OWN);
        let said = status(&machine.shim.status().unwrap());
        assert!(said[0].starts_with("no shim of this khelper's is installed: ") && said[0].contains(what), "{said:?}");
        assert!(said[1].ends_with(": what is there decides which modules are loaded on request"), "{said:?}");
        // As the advice says.
        machine.set(BEFORE);
        let removed = machine.uninstall().unwrap();
        let last = super::removed(&removed, true).pop().unwrap();
        assert!(last.contains(what) && last.ends_with(": it was left as it is"), "{what}: {last}");
        assert!(fs::symlink_metadata(machine.file()).is_ok() && machine.knob() == BEFORE, "{what}");
    }
}

#[test]
fn a_half_of_an_installation_is_taken_away_and_nobody_is_blamed() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    let folder = machine.file().parent().unwrap().to_owned();
    // Killed before it set the knob, and another while it wrote.
    machine.set(BEFORE);
    fs::write(folder.join(".shim.4711-0"), "half").unwrap();
    let removed = machine.uninstall().unwrap();
    let wanted = [format!("kernel.modprobe is {BEFORE} already, as before the shim"), "the shim is removed".to_owned()];
    assert_eq!(super::removed(&removed, true), wanted);
    assert!(!folder.exists());
    // Killed while it wrote the first one.
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(".shim.4711-0"), "half").unwrap();
    assert_eq!(super::removed(&machine.uninstall().unwrap(), true), ["no shim is installed"]);
    assert!(!folder.exists());
    // What an administrator has there stays, and is named.
    fs::create_dir(&folder).unwrap();
    for name in [".shim.old", "notes"] {
        fs::write(folder.join(name), "text").unwrap();
    }
    let said = super::removed(&machine.uninstall().unwrap(), true).pop().unwrap();
    assert!(said.starts_with("/usr/local/lib/khelper stays, because of what else is in it: "), "{said}");
    assert!([".shim.old", "notes"].iter().all(|name| said.contains(name) && folder.join(name).exists()), "{said}");
}

#[test]
fn what_was_done_is_known_where_the_rest_fails() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    // The program that it stood before is gone since, and the next start would still name the shim.
    fs::remove_file(machine.root.path().join(&BEFORE[1..])).unwrap();
    let file = machine.root.path().join("etc/sysctl.d/50-site.conf");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("kernel.modprobe = {OWN}\n")).unwrap();
    let mut removed = Removed::default();
    assert_eq!(machine.shim.uninstall(&mut removed).unwrap_err().errno(), Errno::EBUSY);
    assert_eq!(super::removed(&removed, false), [format!("kernel.modprobe is {BEFORE} again")]);
    assert!(!removed.restored[0].warnings.is_empty(), "{removed:?}");
    // What our own file keeps and another has set is named.
    fs::write(&file, "").unwrap();
    fs::write(machine.root.path().join("etc/sysctl.d/zz-khelper.conf"), "kernel.modprobe = /sbin/third\n").unwrap();
    let said = super::removed(&machine.uninstall().unwrap(), true);
    assert!(said[1].starts_with("/sbin/third is kept for the next start, which another has set: "), "{said:?}");
    assert_eq!(said.len(), 3);
}

/// A shim of this khelper, as another release would have written it.
fn of_release(machine: &Machine, release: [u16; 3], layout: u8) -> Vec<u8> {
    let mut bytes = fs::read(machine.file()).unwrap();
    let mark = bytes.windows(16).position(|window| window == crate::abi::shim::MARK).unwrap();
    let at = mark + crate::abi::shim::AT_RELEASE.start;
    let release: Vec<u8> = release.into_iter().flat_map(u16::to_le_bytes).collect();
    bytes[at..at + 6].copy_from_slice(&release);
    bytes[mark + crate::abi::shim::AT_VERSION] = layout;
    fs::remove_file(machine.file()).unwrap();
    fs::write(machine.file(), &bytes).unwrap();
    fs::set_permissions(machine.file(), PermissionsExt::from_mode(0o755)).unwrap();
    bytes
}

#[test]
fn an_upgrade_replaces_an_older_shim_and_keeps_its_settings() {
    let machine = Machine::new(BEFORE);
    assert_eq!((machine.shim.refresh().unwrap(), machine.file().exists()), (Refreshed::Absent, false));
    machine.shim.install(&wanted()).unwrap();
    let ours = fs::read(machine.file()).unwrap();
    assert_eq!(machine.shim.refresh().unwrap(), Refreshed::Current);
    of_release(&machine, [0, 0, 9], 2);
    let (settings, is_current) = machine.shim.status().unwrap().installed.unwrap();
    assert_eq!((settings.release, is_current), (Release([0, 0, 9]), false));
    // Another has set the knob meanwhile, which an upgrade does not touch.
    fs::write(machine.root.path().join("proc/sys/kernel/modprobe"), "/sbin/other\n").unwrap();
    let became = machine.shim.refresh().unwrap();
    assert_eq!((became, fs::read(machine.file()).unwrap() == ours), (Refreshed::Replaced(Release([0, 0, 9])), true));
    assert_eq!(
        words::refreshed(became),
        format!("the shim of khelper 0.0.9 is replaced by that of {}", Release::own())
    );
    assert_eq!((machine.knob().as_str(), machine.told.lock().unwrap().len()), ("/sbin/other", 1));
}

#[test]
fn a_newer_shim_and_another_s_file_are_left_as_they_are() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    for layout in [2, 3] {
        let newer = of_release(&machine, [99, 0, 0], layout);
        assert_eq!(machine.shim.refresh().unwrap(), Refreshed::Newer(Release([99, 0, 0])));
        assert_eq!(machine.shim.newer().unwrap(), Some(Release([99, 0, 0])));
        assert!(fs::read(machine.file()).unwrap() == newer);
    }
    // What it replaced cannot be read: it is neither taken away nor replaced.
    let refused = machine.uninstall().unwrap_err();
    assert!(refused.to_string().contains("khelper 99.0.0's, whose settings"), "{refused}");
    assert_eq!(machine.shim.install(&wanted()).unwrap_err().errno(), Errno::ENOENT);
    assert_eq!((machine.knob().as_str(), machine.file().exists()), (OWN, true));
    // One of a layout that can be read is replaced by who asks for it.
    of_release(&machine, [99, 0, 0], 2);
    machine.shim.install(&wanted()).unwrap();
    assert_eq!(machine.shim.refresh().unwrap(), Refreshed::Current);
    fs::write(machine.root.path().join("proc/sys/kernel/modprobe"), "/sbin/other\n").unwrap();
    fs::write(machine.file(), "#!/bin/sh\n").unwrap();
    assert_eq!(machine.shim.refresh().unwrap(), Refreshed::Foreign);
    let removed = machine.uninstall().unwrap();
    assert!(removed.other_file.is_some() && !removed.file);
    assert_eq!(fs::read(machine.file()).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn a_shim_that_cannot_be_executed_does_not_take_the_place_of_one_that_can() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    let before = fs::read(machine.file()).unwrap();
    assert_eq!(machine.shim.put(b"no program", Some(&before)).unwrap_err().errno(), Errno::ENOEXEC);
    assert!(fs::read(machine.file()).unwrap() == before);
    assert_eq!(machine.shim.put(b"no program", None).unwrap_err().errno(), Errno::ENOEXEC);
    assert!(!machine.file().exists());
}

#[test]
fn what_is_kept_for_the_next_start_is_as_it_was() {
    const HEAD: &str = "# Written by `khelper --target kernel set --persist`; `set --unpersist KEY` removes a line.\n";
    let persist = || Wanted { persist: true, ..wanted() };
    for (before, foreign) in [("", false), ("", true), ("BEFORE", false), ("BEFORE", true)] {
        let machine = Machine::new(BEFORE);
        let file = machine.root.path().join("etc/sysctl.d/zz-khelper.conf");
        let before = before.replace("BEFORE", &format!("{HEAD}kernel.modprobe = {BEFORE}\n"));
        fs::create_dir(file.parent().unwrap()).unwrap();
        if !before.is_empty() {
            fs::write(&file, &before).unwrap();
        }
        machine.shim.install(&persist()).unwrap();
        // Again, as after an upgrade: what was kept before is still known.
        machine.shim.install(&persist()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{HEAD}kernel.modprobe = {OWN}\n"));
        if foreign {
            fs::write(machine.root.path().join("proc/sys/kernel/modprobe"), "/sbin/other\n").unwrap();
        }
        let removed = machine.uninstall().unwrap();
        assert!(removed.no_longer_kept && removed.file && removed.foreign.is_some() == foreign, "{removed:?}");
        assert_eq!(machine.knob(), if foreign { "/sbin/other" } else { BEFORE });
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), before);
        assert_eq!(file.exists(), !before.is_empty());
    }
}

#[test]
fn the_shim_stays_as_long_as_the_next_start_would_name_it() {
    let machine = Machine::new(BEFORE);
    machine.shim.install(&wanted()).unwrap();
    let file = machine.root.path().join("etc/sysctl.d/50-site.conf");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("vm.swappiness = 1\nkernel.modprobe = {OWN}\n")).unwrap();
    let refused = machine.uninstall().unwrap_err();
    assert_eq!((refused.errno(), machine.file().exists()), (Errno::EBUSY, true));
    assert!(refused.to_string().contains("/etc/sysctl.d/50-site.conf:2"), "{refused}");
    assert_eq!(machine.knob(), BEFORE);
    fs::write(&file, "vm.swappiness = 1\n").unwrap();
    let removed = machine.uninstall().unwrap();
    assert_eq!((removed.file, machine.file().exists()), (true, false));
    // A line of another value is another's.
    let kept = Machine::new(BEFORE);
    fs::create_dir(kept.root.path().join("etc/sysctl.d")).unwrap();
    fs::write(kept.root.path().join("etc/sysctl.d/zz-khelper.conf"), "kernel.modprobe = /sbin/third\n").unwrap();
    assert_eq!(kept.shim.install(&Wanted { persist: true, ..wanted() }).unwrap_err().errno(), Errno::EEXIST);
    assert_eq!((kept.knob().as_str(), kept.file().exists()), (BEFORE, false));
}

proptest! {
    #[test]
    fn settings_are_read_as_they_were_written(
        kept: bool,
        fails_closed: bool,
        patience: u16,
        modprobe in "/[a-z]{0,254}",
        socket in "/[a-z]{0,106}",
        rules in "/[a-z]{0,106}",
    ) {
        let [modprobe, socket, rules] = [modprobe, socket, rules].map(String::into_bytes);
        let settings = Settings { release: Release::own(), kept, fails_closed, patience, modprobe, socket, rules };
        let program = program(&settings).unwrap();
        prop_assert_eq!(program::settings(&program), Some(settings));
        prop_assert!(program.len() <= 64 * 1024);
    }

    #[test]
    fn bytes_that_are_no_shim_have_no_settings(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        prop_assert_eq!(program::settings(&bytes), None);
    }
}

#[test]
fn what_stands_says_what_happens_to_a_helper_now() {
    use crate::sys::linux::seqpacket::{bound, open};
    let machine = Machine::new(BEFORE);
    let folder = machine.root.path().join("run/khelper");
    fs::create_dir_all(&folder).unwrap();
    let line = |fails_closed| {
        machine.shim.install(&Wanted { fails_closed, ..wanted() }).unwrap();
        status(&machine.shim.status().unwrap())[1].clone()
    };
    let both = || [line(false), line(true)];
    let [open_one, closed] = both();
    assert!(open_one.ends_with(": every helper runs, as without a shim"), "{open_one}");
    assert!(closed.ends_with(": no helper runs (--fail-closed)"), "{closed}");
    // Nobody takes connections of this one, as of a daemon that is stopped.
    let socket = bound(&folder.join("other.sock")).unwrap();
    open(&socket).unwrap();
    for said in both() {
        assert!(said.ends_with(" and does not answer: after 200 ms the compiled rules decide"), "{said}");
    }
    // Also for a child that another test has just forked, which has the socket until it executes its program.
    rustix::net::shutdown(&socket, rustix::net::Shutdown::Both).unwrap();
    drop(socket);
    let [open_one, closed] = both();
    assert!(
        open_one.ends_with(" has ended without closing it: the compiled rules decide until one is started"),
        "{open_one}"
    );
    assert!(closed.ends_with(": no helper runs (--fail-closed)"), "{closed}");
}
