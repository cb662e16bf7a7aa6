use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::errno::Errno;

use super::KernelKnobs;
use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain};
use crate::abi::kernel_program::Part;
use crate::abi::knob::{Key, MaskKnob};
use crate::abi::knob_value::{Change, KnobValue};
use crate::control::command::{Command, KernelWrite, Reply};
use crate::control::provenance::Where;
use crate::policy::posture::Level;

const KNOWN: CapMask = CapMask::up_to(40);

/// A tree of files like that of a kernel. Written text must not be shorter than what is there: a real file keeps its end.
struct Tree {
    dir: tempfile::TempDir,
    knobs: KernelKnobs,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let knobs = KernelKnobs::below(dir.path(), KNOWN);
        let tree = Self { dir, knobs };
        tree.put("proc/sys/kernel/modprobe", "/a\n");
        tree.put("proc/sys/kernel/modules_disabled", "0\n");
        tree.put("proc/sys/kernel/usermodehelper/bset", "4294967295\t511\n");
        tree.put("proc/sys/kernel/usermodehelper/inheritable", "4294967295\t511\n");
        tree.program("opt/elf", "\x7fELF");
        tree.program("opt/text", "hello\n");
        fs::create_dir(tree.path("etc")).unwrap();
        tree
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.put(path, text);
        fs::set_permissions(self.path(path), PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn write(&self, key: Key, text: &str, with: &[&str]) -> Result<Change, ControlError> {
        let value = key.parse_value(text.as_bytes(), KNOWN).unwrap();
        let has = |option| with.contains(&option);
        let write = KernelWrite {
            writes: vec![(key, value)],
            until_reboot: has("until-reboot"),
            force: has("force"),
            persist: has("persist"),
        };
        match self.knobs.perform(&Command::WriteKernel(write)).unwrap()? {
            Reply::Written(mut changes) => Ok(changes.pop().unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

fn path(text: &str) -> KnobValue {
    KnobValue::Path(text.as_bytes().into())
}

#[test]
fn a_knob_is_read_and_one_that_is_missing_is_not_made_up() {
    let tree = Tree::new();
    assert_eq!(tree.knobs.read(Key::Modprobe).unwrap(), path("/a"));
    assert_eq!(tree.knobs.read(Key::Inheritable).unwrap(), KNOWN.into());
    assert_eq!(tree.knobs.read(Key::ModulesDisabled).unwrap(), 0u32.into());
    fs::remove_file(tree.path("proc/sys/kernel/modprobe")).unwrap();
    let missing = tree.knobs.read(Key::Modprobe).unwrap_err();
    assert_eq!(missing.errno(), Errno::EOPNOTSUPP);
    assert!(missing.whole().contains("/proc/sys/kernel/modprobe does not exist"), "{}", missing.whole());
    assert_eq!(tree.knobs.read(Key::Era).unwrap_err().errno(), Errno::EOPNOTSUPP);
    let Some(Ok(Reply::Knobs(all))) = tree.knobs.perform(&Command::Knobs(Key::KERNEL.to_vec())) else { panic!() };
    assert_eq!(all.iter().map(|knob| knob.key).collect::<Vec<_>>(), Key::KERNEL[1..]);
    tree.put("proc/sys/kernel/usermodehelper/bset", "what is this\n");
    assert_eq!(tree.knobs.read(Key::Bset).unwrap_err().errno(), Errno::EINVAL);
}

#[test]
fn a_mask_is_written_only_with_consent_and_as_two_whole_words() {
    let tree = Tree::new();
    let file = "proc/sys/kernel/usermodehelper/bset";
    let refused = tree.write(Key::Bset, "-cap_sys_rawio", &[]).unwrap_err();
    assert_eq!(refused.errno(), Errno::EINVAL);
    assert!(refused.whole().contains("until the machine starts again") && refused.whole().contains("--until-reboot"));
    assert_eq!(tree.text(file), "4294967295\t511\n", "nothing was written");
    let change = tree.write(Key::Bset, "-cap_sys_rawio", &["until-reboot"]).unwrap();
    assert_eq!(tree.text(file), "4294836223 511\n");
    let rawio = CapMask::from_bits(1 << 17);
    assert_eq!(change, Change::new(Key::Bset, KNOWN, KNOWN.minus(rawio)));
    // What was lost is asked for again: nothing is written, and no consent is needed.
    let change = tree.write(Key::Bset, "full", &[]).unwrap();
    assert_eq!((change.not_granted, change.before == change.after), (rawio, true));
    let change = tree.write(Key::Bset, "-cap_sys_module -cap_sys_admin", &["until-reboot"]).unwrap();
    assert!(change.warnings[0].contains("can load no module"), "{:?}", change.warnings);
}

#[test]
fn a_value_that_does_not_read_back_is_an_error() {
    let tree = Tree::new();
    // A real file keeps its end, which the kernel's files do not.
    let error = tree.write(Key::Modprobe, "", &["force"]).unwrap_err();
    assert_eq!(error.errno(), Errno::EIO, "{error}");
    assert!(error.to_string().contains("reads back"), "{error}");
}

#[test]
fn modules_disabled_goes_one_way_with_the_same_consent() {
    let tree = Tree::new();
    let refused = tree.write(Key::ModulesDisabled, "1", &[]).unwrap_err();
    assert!(refused.whole().contains("no module can be loaded"), "{}", refused.whole());
    assert_eq!(tree.write(Key::ModulesDisabled, "1", &["until-reboot"]).unwrap().after, 1u32.into());
    assert_eq!(tree.write(Key::ModulesDisabled, "1", &[]).unwrap().after, 1u32.into(), "nothing to do");
    let never = tree.write(Key::ModulesDisabled, "0", &["until-reboot", "force"]).unwrap_err();
    assert_eq!(never.errno(), Errno::EPERM);
}

#[test]
fn a_modprobe_that_would_not_run_is_refused_unless_forced() {
    let tree = Tree::new();
    tree.put("opt/plain", "#!/bin/sh\n");
    for (file, errno, why) in [
        ("/opt/text", Errno::ENOEXEC, "neither ELF nor a script"),
        ("/opt/none", Errno::EINVAL, "cannot be found (ENOENT)"),
        ("/opt/plain", Errno::EINVAL, "nobody may execute it"),
        ("/opt", Errno::EINVAL, "not a regular file"),
    ] {
        let error = tree.write(Key::Modprobe, file, &[]).unwrap_err();
        assert!(error.errno() == errno && error.whole().contains(why), "{file}: {}", error.whole());
        assert!(error.whole().contains("nothing was written") && error.whole().contains("--force"));
        assert_eq!(tree.text("proc/sys/kernel/modprobe"), "/a\n");
    }
    assert_eq!(tree.write(Key::Modprobe, "/opt/elf", &[]).unwrap().after, path("/opt/elf"));
    let forced = tree.write(Key::Modprobe, "/opt/plain", &["force"]).unwrap();
    assert!(forced.warnings.iter().any(|w| w.contains("nobody may execute it")), "{:?}", forced.warnings);
}

#[test]
fn an_engines_ways_of_writing_do_not_reach_the_kernel() {
    let tree = Tree::new();
    let writes = vec![(Key::Modprobe, path("/opt/elf"))];
    for command in [
        Command::Write(writes.clone()),
        Command::Persist(writes),
        Command::Configure(Vec::new()),
        Command::Reset(MaskKnob::Bset),
    ] {
        assert!(tree.knobs.perform(&command).unwrap().is_err(), "{command:?}");
    }
    assert_eq!(tree.text("proc/sys/kernel/modprobe"), "/a\n");
    assert!(tree.knobs.perform(&Command::Status).is_none());
}

#[test]
fn values_are_kept_for_the_next_start_where_they_win() {
    let tree = Tree::new();
    let kept = "etc/sysctl.d/zz-khelper.conf";
    let change = tree.write(Key::Bset, "-cap_sys_rawio", &["until-reboot", "persist"]).unwrap();
    assert_eq!(change.source.unwrap().to_string(), "/etc/sysctl.d/zz-khelper.conf:2");
    assert!(change.warnings.iter().any(|w| w.contains("systemd-sysctl writes it")), "{:?}", change.warnings);
    assert!(tree.text(kept).ends_with("\nkernel.usermodehelper.bset = 4294836223 511\n"), "{}", tree.text(kept));
    tree.write(Key::Modprobe, "/opt/elf", &["persist"]).unwrap();
    assert!(tree.text(kept).ends_with("511\nkernel.modprobe = /opt/elf\n"));
    tree.knobs.perform(&Command::Unpersist(vec![Key::Bset])).unwrap().unwrap();
    assert!(!tree.text(kept).contains("bset") && tree.text(kept).contains("modprobe"));
    let absent = tree.knobs.perform(&Command::Unpersist(vec![Key::Bset])).unwrap().unwrap_err();
    assert_eq!(absent.errno(), Errno::ENOENT);
    tree.put("etc/sysctl.d/zzz.conf", "kernel.modprobe=/other\n");
    let loses = tree.write(Key::Modprobe, "/opt/elf2", &["force", "persist"]).unwrap_err();
    assert_eq!(loses.errno(), Errno::EEXIST);
    assert!(loses.to_string().contains("/etc/sysctl.d/zzz.conf:1"), "{loses}");
    assert_eq!(tree.text("proc/sys/kernel/modprobe"), "/opt/elf\n", "nothing was written");
    tree.knobs.perform(&Command::Unpersist(vec![Key::Modprobe])).unwrap().unwrap();
    assert!(!tree.dir.path().join(kept).exists(), "the file goes with its last line");
}

#[test]
fn drift_and_provenance_come_from_the_files_of_boot() {
    let tree = Tree::new();
    let diff = |tree: &Tree| match tree.knobs.perform(&Command::Diff) {
        Some(Ok(Reply::Diff(comparison))) => comparison,
        other => panic!("{other:?}"),
    };
    let differs = |tree: &Tree| -> Vec<String> {
        let all = diff(tree).drift;
        all.iter().map(|drift| crate::control::text::provenance::drift(drift, KNOWN)).collect()
    };
    assert_eq!(differs(&tree), ["kernel.modprobe  running \"/a\"  configured \"/sbin/modprobe\" (default)"]);
    let from = |tree: &Tree| match tree.knobs.perform(&Command::Knobs(vec![Key::Modprobe])) {
        Some(Ok(Reply::Knobs(knobs))) => knobs[0].from.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(from(&tree), Where::Unknown, "it is not what the kernel begins with");
    // Of two files with one name the first folder's counts; a later name wins.
    tree.put("usr/lib/sysctl.d/10.conf", "kernel.modprobe = /wrong\n");
    tree.put("etc/sysctl.d/10.conf", "net.ipv4.ip_forward = 1\nkernel/modprobe = /b\n");
    tree.put("run/sysctl.d/20.conf", "kernel.modprobe = /a\nkernel.usermodehelper.bset = full\n");
    symlink("../../run/sysctl.d/20.conf", tree.path("etc/sysctl.d/05.conf")).unwrap();
    assert_eq!(differs(&tree), [] as [&str; 0]);
    assert!(diff(&tree).faults[0].contains("20.conf:2") && diff(&tree).faults[0].contains("two numbers"));
    let Some(Ok(Reply::Knobs(knobs))) = tree.knobs.perform(&Command::Knobs(vec![Key::Modprobe, Key::Bset])) else {
        panic!()
    };
    let Where::File { source, others } = &knobs[0].from else { panic!("{knobs:?}") };
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    assert_eq!(source.to_string(), "/run/sysctl.d/20.conf:1");
    assert_eq!(others, ["/etc/sysctl.d/05.conf:1", "/etc/sysctl.d/10.conf:2"]);
    assert_eq!(knobs[1].from, Where::Default);
    // systemd's own set narrows both masks.
    tree.put("etc/systemd/system.conf", "[Manager]\n#CapabilityBoundingSet=\nCapabilityBoundingSet=~CAP_SYS_RAWIO\n");
    let said = differs(&tree);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with("configured all but cap_sys_rawio (/etc/systemd/system.conf:3)"), "{said:?}");
    tree.write(Key::Inheritable, "-cap_sys_rawio", &["until-reboot"]).unwrap();
    assert_eq!(differs(&tree).len(), 1);
    // Only what both allow is left, and the later line is named.
    tree.put("etc/sysctl.d/30.conf", "kernel.usermodehelper.bset = 4294967294 511\n");
    let said = differs(&tree).remove(0);
    assert!(said.ends_with("configured all but cap_chown, cap_sys_rawio (/etc/sysctl.d/30.conf:1)"), "{said}");
}

#[test]
fn posture_has_the_files_of_boot_too() {
    let tree = Tree::new();
    tree.put("etc/sysctl.d/10.conf", "kernel.modprobe = /b\n");
    fs::set_permissions(tree.path("etc/sysctl.d/10.conf"), PermissionsExt::from_mode(0o666)).unwrap();
    let findings = tree.knobs.posture();
    let of = |part: &Part| findings.iter().find(|finding| finding.fact.part == *part).unwrap();
    assert_eq!(of(&Part::BootFile).level, Level::High);
    assert_eq!(of(&Part::Bset).level, Level::Low);
    assert_eq!(of(&Part::ModulesDisabled).level, Level::Ok);
}

/// Also where a later write fails, or the kernel takes another value.
#[test]
fn each_change_is_recorded_with_its_actor_what_was_before_and_what_is_read_back() {
    use std::sync::{Arc, Mutex};

    use super::Unwatched;
    use crate::abi::event::EventKind;
    use crate::control::ask::ask;

    let tree = Tree::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let to = told.clone();
    let record = Arc::new(move |change: &crate::abi::sink::Changed| to.lock().unwrap().push(change.event.clone()));
    let target = Unwatched::new(tree.knobs.clone(), "not watched").recorded(record);
    let by = crate::control::testing::actor();
    let write = |writes: &[(Key, &str)]| {
        let writes = writes.iter().map(|(key, text)| (*key, key.parse_value(text.as_bytes(), KNOWN).unwrap()));
        let write = KernelWrite { writes: writes.collect(), until_reboot: true, force: true, persist: false };
        ask(&target, &by, Command::WriteKernel(write)).map(drop)
    };
    let elf = tree.path("opt/elf").to_str().unwrap().to_owned();
    write(&[(Key::Modprobe, &elf)]).unwrap();
    write(&[(Key::Modprobe, &elf)]).unwrap();
    // A write that is refused whole, after another one.
    fs::remove_file(tree.path("proc/sys/kernel/modprobe")).unwrap();
    symlink("/dev/full", tree.path("proc/sys/kernel/modprobe")).unwrap();
    assert!(write(&[(Key::Bset, "-cap_sys_rawio"), (Key::Modprobe, "/b")]).is_err());
    let told: Vec<String> = std::mem::take(&mut *told.lock().unwrap())
        .into_iter()
        .map(|event| match &event.kind {
            EventKind::KnobChanged { change, actor } => {
                assert_eq!(**actor, by);
                format!("{} {} {} {}", event.seq, change.key, change.before.text(), change.after.text())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told[0], format!("1 kernel.modprobe /a {elf}"));
    assert!(told.len() == 2 && told[1].starts_with("2 kernel.usermodehelper.bset "), "{told:?}");
}

#[test]
fn sysctl_conf_comes_last_where_it_is_read() {
    let tree = Tree::new();
    tree.put("etc/sysctl.d/50-a.conf", "kernel.modprobe = /a\n");
    tree.put("etc/sysctl.conf", "kernel.modprobe = /b\n");
    let from = |value: &str| {
        tree.put("proc/sys/kernel/modprobe", &format!("{value}\n"));
        let knobs = tree.knobs.knobs(&[Key::Modprobe]).unwrap();
        match &knobs[0].from {
            Where::File { source, others } => (source.to_string(), others.len()),
            other => (format!("{other:?}"), 0),
        }
    };
    let drift = || tree.knobs.compare().drift.into_iter().map(|drift| drift.configured.text()).collect::<Vec<_>>();
    // Without systemd the start of the machine reads it after all others.
    assert_eq!(from("/b"), ("/etc/sysctl.conf:1".to_owned(), 1));
    assert_eq!((drift(), from("/a").0), (vec![], "Unknown".to_owned()));
    assert_eq!(drift(), ["/b"]);
    // It would win over a kept line.
    let error = tree.write(Key::Modprobe, "/opt/elf", &["persist"]).unwrap_err();
    assert!(
        error.errno() == Errno::EEXIST && error.whole().contains("/etc/sysctl.conf:1 would win"),
        "{}",
        error.whole()
    );
    // With systemd only `sysctl --system` reads it.
    fs::create_dir_all(tree.path("run/systemd/system")).unwrap();
    assert_eq!((from("/b").0.as_str(), drift()), ("/etc/sysctl.conf:1", vec!["/a".to_owned()]));
    assert_eq!((from("/a").0.as_str(), drift()), ("/etc/sysctl.d/50-a.conf:1", vec![]));
    // Unless a link leads to it: then its place is that of the link's name.
    symlink("../sysctl.conf", tree.path("etc/sysctl.d/99-sysctl.conf")).unwrap();
    assert_eq!((from("/b").0.as_str(), drift()), ("/etc/sysctl.d/99-sysctl.conf:1", vec![]));
}

/// Two processes keep and remove lines at once; none takes away a line of the other.
#[test]
fn of_two_writers_of_the_kept_file_none_loses_a_line() {
    const ROLE: &str = "KHELPER_TEST_KEEPER";
    const ROUNDS: usize = 30;
    // One that waits for the lock in vain says so, and is tried again.
    let until_done = |command: &Command, knobs: &KernelKnobs| loop {
        match knobs.perform(command).unwrap() {
            Err(error) if error.errno() == Errno::EAGAIN => {}
            done => return done.map(drop).unwrap(),
        }
    };
    let round = |knobs: &KernelKnobs, key: Key, value: &str| {
        let value = key.parse_value(value.as_bytes(), KNOWN).unwrap();
        let write = KernelWrite { writes: vec![(key, value)], until_reboot: true, force: true, persist: true };
        let (keep, remove) = (Command::WriteKernel(write), Command::Unpersist(vec![key]));
        for _ in 0..ROUNDS {
            until_done(&keep, knobs);
            until_done(&remove, knobs);
        }
        until_done(&keep, knobs);
    };
    if let Some(root) = std::env::var_os(ROLE) {
        return round(&KernelKnobs::below(root, KNOWN), Key::Modprobe, "/bin/true");
    }
    let tree = Tree::new();
    let name = "control::kernel_knobs::tests::of_two_writers_of_the_kept_file_none_loses_a_line";
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    let mut other = other.args(["--exact", name]).env(ROLE, tree.dir.path()).spawn().unwrap();
    round(&tree.knobs, Key::Bset, "-cap_sys_rawio");
    assert!(other.wait().unwrap().success());
    let text = tree.text("etc/sysctl.d/zz-khelper.conf");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(kept.len(), 2, "{text}");
    assert!(kept.contains(&"kernel.modprobe = /bin/true"), "{text}");
}
