use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;
use proptest::prelude::*;

use super::files::File;
use super::*;
use crate::abi::actor::{Actor, Origin};
use crate::abi::error::Explain;
use crate::abi::glob::Globs;
use crate::abi::knob_value::KnobValue;
use crate::abi::mask::MaskExpr;
use crate::control::actor;
use crate::control::ask::ask;
use crate::control::command::{Command, Reply};
use crate::control::local::Local;
use crate::control::provenance::{Comparison, Where};
use crate::control::target::Target;
use crate::engine::Engine;
use crate::sys::fake::FakeHost;

const KNOWN: CapMask = CapMask::up_to(40);

/// Files of one folder, in this order.
fn files(texts: &[(&str, &str)]) -> Vec<File> {
    let file = |(name, text): &(&str, &str)| File { path: PathBuf::from(name), bytes: text.as_bytes().to_vec() };
    texts.iter().map(file).collect()
}

fn of(text: &str) -> Set {
    resolve(&files(&[("f", text)]), KNOWN)
}

/// `KEY=VALUE winner others`.
fn shown(set: &Set) -> Vec<String> {
    let one = |s: &Setting| {
        let others: String = s.others.iter().map(|other| format!(" {other}")).collect();
        format!("{}={} {}{others}", s.key, s.value.text(), s.source)
    };
    set.settings.iter().map(one).collect()
}

fn texts(remarks: &[Remark]) -> Vec<String> {
    remarks.iter().map(ToString::to_string).collect()
}

/// The rows of the table that compares procps, systemd and khelper, in its order.
#[test]
fn each_row_of_the_table_of_differences() {
    let unknown = of("no.such = 1\nkhelper.deny = a");
    assert_eq!(shown(&unknown), ["khelper.deny=a f:2"], "the rest is applied");
    assert!(texts(&unknown.faults)[0].starts_with("f:1: unknown key `no.such`"), "{:?}", unknown.faults);
    assert_eq!(of("-no.such = 1"), Set::default(), "silent");
    let malformed = of("khelper.deny a\nkhelper.allow = b");
    assert_eq!(shown(&malformed), ["khelper.allow=b f:2"]);
    assert!(texts(&malformed.faults)[0].contains("`khelper.deny a` is not KEY = VALUE"));
    assert_eq!(shown(&of("khelper.deny = a\nkhelper/deny = b")), ["khelper.deny=b f:2 f:1"]);
    let glob = of("khelper.deny = a\nkhelper.[ad]* = b");
    assert_eq!(shown(&glob), ["khelper.deny=a f:1 f:2", "khelper.allow=b f:2"]);
    assert_eq!(shown(&of("khelper.[ad]* = b\nkhelper.deny = a")), ["khelper.deny=a f:2 f:1", "khelper.allow=b f:1"]);
    for (value, what) in [("/x # y", "comment"), ("'/x y'", "quotes"), ("/x\r", "carriage return")] {
        let set = of(&format!("kernel.modprobe = {value}"));
        let warned = texts(&set.warnings);
        assert!(warned.len() == 1 && warned[0].contains(what), "{warned:?}");
        match value.starts_with('/') {
            true => assert_eq!(set.settings[0].value, KnobValue::Path(value.as_bytes().into()), "part of the value"),
            false => assert_eq!(set.faults.len(), 1, "a quote is no absolute path"),
        }
    }
}

#[test]
fn names_values_and_exclusions() {
    let both = of("kernel.usermodehelper.* = cap_chown");
    assert_eq!(both.settings.iter().map(|s| s.key).collect::<Vec<_>>(), [Key::Bset, Key::Inheritable]);
    let one = of("kernel.usermodehelper.* = cap_chown\n-kernel.usermodehelper.bset");
    assert_eq!(one.settings.iter().map(|s| s.key).collect::<Vec<_>>(), [Key::Inheritable]);
    assert_eq!(of("-khelper.deny\nkhelper.deny = a").settings.len(), 1, "of two lines the later one wins");
    assert_eq!(of("khelper.deny = a\n-khelper.deny").settings.len(), 0);
    let patterns = of("khelper.a* = x\nkhelper.al* = y");
    assert_eq!(shown(&patterns), ["khelper.allow=y f:2 f:1"]);
    assert!(texts(&of("-khelper.*").warnings)[0].contains("not a pattern"));
    // A pattern sets no counter, and it is an error if nothing is left.
    assert!(of("khelper.l* = 1").faults.len() == 1 && of("-khelper.l* = 1").faults.is_empty());
    assert_eq!(of("khelper.live = 1").faults.len(), 1);
    for (text, faults) in
        [("khelper.era = 6", 1), ("-khelper.era = 6", 0), ("= 1", 1), ("\u{feff}khelper.era = 3.4", 1)]
    {
        let set = of(text);
        assert!(set.faults.len() == faults && set.settings.is_empty(), "{text}: {set:?}");
    }
    assert_eq!(shown(&of("kernel.modprobe =")), ["kernel.modprobe= f:1"]);
}

#[test]
fn the_later_of_two_files_wins_whatever_their_folders() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let put = |dir: usize, name: &str, text: &str| fs::write(dirs[dir].path().join(name), text).unwrap();
    put(0, "20.conf", "khelper.deny = etc20");
    put(1, "30.conf", "khelper.deny = run30");
    put(2, "10.conf", "khelper.deny = lib10\nkhelper.allow = lib10");
    put(2, "20.conf", "khelper.allow = hidden");
    put(2, "40.conf", "khelper.allow = masked");
    put(2, "50.conf.bak", "khelper.allow = no");
    put(2, ".60.conf", "khelper.allow = no");
    std::os::unix::fs::symlink("/dev/null", dirs[1].path().join("40.conf")).unwrap();
    let config = Config::new(dirs.iter().map(|dir| dir.path().to_path_buf()).chain(["/no/such".into()]).collect());
    let set = config.load(KNOWN).unwrap();
    let path = |dir: usize, name: &str| dirs[dir].path().join(name).display().to_string();
    assert_eq!(
        shown(&set),
        [
            format!("khelper.allow=lib10 {}:2", path(2, "10.conf")),
            format!("khelper.deny=run30 {}:1 {}:1 {}:1", path(1, "30.conf"), path(2, "10.conf"), path(0, "20.conf")),
        ]
    );
}

#[test]
fn auth_6_one_file_that_others_can_write_refuses_the_whole_set() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    site.put("10.conf", "khelper.deny = a");
    site.put("20.conf", "khelper.allow = b");
    assert_eq!(site.config.load(KNOWN).unwrap().settings.len(), 2);
    fs::set_permissions(site.path("20.conf"), PermissionsExt::from_mode(0o666)).unwrap();
    let error = site.config.load(KNOWN).unwrap_err();
    assert_eq!((error.errno(), error.key()), (Errno::EPERM, Some(site.path("20.conf").to_str().unwrap())));
    assert!(error.to_string().contains("can be written by everyone"), "{error}");
    let persist = site.ask(Command::Persist(vec![site.value("khelper.deny=c")])).unwrap_err();
    assert_eq!(persist, error, "nothing is kept beside it");
    assert_eq!(site.get(Key::Deny), "", "and nothing is written");
}

/// An engine with a folder of its own.
struct Site {
    dir: tempfile::TempDir,
    config: Arc<Config>,
    target: Local,
    by: Actor,
    last: PathBuf,
}

impl Site {
    fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(dir: tempfile::TempDir) -> Self {
        let _ = fs::create_dir(dir.path().join("conf"));
        let config = Arc::new(Config::folder(dir.path().join("conf")));
        let engine = Engine::builder().host(FakeHost::new()).start().unwrap();
        let last = dir.path().join("last-good");
        Self { dir, target: Local::new(engine).with_config(config.clone()), config, by: actor(Origin::Library), last }
    }

    /// Another engine with the same files.
    fn again(self) -> Self {
        Self::at(self.dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("conf").join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn ask(&self, command: Command) -> Result<Reply, ControlError> {
        ask(&self.target, &self.by, command)
    }

    fn known(&self) -> CapMask {
        self.target.info().known
    }

    fn value(&self, setting: &str) -> (Key, KnobValue) {
        let (key, value) = setting.split_once('=').unwrap();
        let key = Key::parse(key).unwrap();
        (key, key.parse_value(value.as_bytes(), self.known()).unwrap())
    }

    fn get(&self, key: Key) -> String {
        let Reply::Value(value) = self.ask(Command::Get(key)).unwrap() else { panic!() };
        value.text()
    }

    fn from(&self, key: Key) -> Where {
        let Reply::Knobs(mut knobs) = self.ask(Command::Knobs(vec![key])).unwrap() else { panic!() };
        knobs.remove(0).from
    }

    /// The file's name and line, and those that lost.
    fn lines(&self, key: Key) -> String {
        match self.from(key) {
            Where::Default | Where::Unknown => "default".into(),
            Where::Actor { actor, .. } => format!("pid {}", actor.pid),
            Where::File { source, others } => {
                let name = |source: &Source| source.to_string().rsplit('/').next().unwrap().to_owned();
                std::iter::once(&source).chain(&others).map(name).collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn start(&self) -> Result<Started, ControlError> {
        start(&self.target, &self.by, &self.config, &self.last)
    }

    fn reload(&self) -> Result<Applied, ControlError> {
        reload(&self.target, &self.by, &self.config, &self.last)
    }

    fn diff(&self) -> Comparison {
        let Reply::Diff(comparison) = self.ask(Command::Diff).unwrap() else { panic!() };
        comparison
    }

    /// `KEY running configured`.
    fn drift(&self) -> Vec<String> {
        let one = |d: &crate::control::provenance::Drift| {
            let source = d.source.as_ref().map_or(0, |source| source.line);
            format!("{} {} {} {source}", d.key, d.running.text(), d.configured.text())
        };
        self.diff().drift.iter().map(one).collect()
    }
}

#[test]
fn auth_5_each_knob_knows_the_line_or_the_actor_that_set_it() {
    let site = Site::new();
    site.put("10.conf", "khelper.deny = a\nkernel.modprobe = /x\nkhelper.gate = freezing");
    site.put("20.conf", "\nkhelper.deny = b");
    let started = site.start().unwrap();
    assert!(started.instead.is_none() && started.applied.not_stored.is_none(), "{started:?}");
    assert_eq!((site.get(Key::Deny), site.get(Key::Gate)), ("b".into(), "freezing".into()));
    assert_eq!((site.lines(Key::Deny), site.lines(Key::Gate)), ("20.conf:2 10.conf:1".into(), "10.conf:3".into()));
    assert_eq!((site.lines(Key::Allow), site.lines(Key::Modprobe)), ("default".into(), "10.conf:2".into()));
    let someone = Actor::new(Origin::Console, 77, 0, 0, b"x");
    ask(&site.target, &someone, Command::Write(vec![site.value("khelper.deny=c")])).unwrap();
    assert_eq!(site.lines(Key::Deny), "pid 77");
    site.reload().unwrap();
    assert_eq!((site.get(Key::Deny), site.lines(Key::Deny)), ("b".into(), "20.conf:2 10.conf:1".into()));
    // The default of the gate, asked for by a file.
    let open = Site::new();
    open.put("a.conf", "khelper.gate = enabled");
    open.start().unwrap();
    assert_eq!((open.lines(Key::Gate), open.get(Key::Gate)), ("a.conf:1".into(), "enabled".into()));
}

#[test]
fn sys_9_the_files_are_applied_in_one_write_or_not_at_all() {
    let site = Site::new();
    site.put("10.conf", "kernel.modprobe = /x\nkhelper.max_concurrent = 51");
    let error = site.start().unwrap_err();
    assert_eq!(error.key(), Some("khelper.max_concurrent"));
    assert_eq!((site.get(Key::Modprobe), site.lines(Key::Modprobe)), ("/sbin/modprobe".into(), "default".into()));
    // A failure that is ignored leaves out its knob alone.
    site.put("10.conf", "kernel.modprobe = /x\n-khelper.max_concurrent = 51");
    site.start().unwrap();
    assert_eq!((site.get(Key::Modprobe), site.get(Key::MaxConcurrent)), ("/x".into(), "50".into()));
}

#[test]
fn a_start_with_an_error_uses_the_last_good_set_and_without_one_it_fails() {
    let site = Site::new();
    site.put("10.conf", "kernel.usermodehelper.bset = -cap_sys_rawio\n-khelper.deny = \"a");
    assert!(site.start().unwrap().applied.not_stored.is_none());
    let narrow = site.get(Key::Bset);
    let site = site.again();
    site.put("20.conf", "nonsense");
    let started = site.start().unwrap();
    let why = started.instead.unwrap().to_string();
    assert!(why.contains("20.conf:1") && why.contains("`nonsense`"), "{why}");
    assert_eq!((site.get(Key::Bset), site.lines(Key::Bset)), (narrow, "last-good:3".into()));
    let site = site.again();
    fs::remove_file(&site.last).unwrap();
    assert_eq!(site.start().unwrap_err().to_string(), why, "masks do not silently start full");
    // A last good set that others can write is none.
    use std::os::unix::fs::PermissionsExt;
    fs::write(&site.last, "khelper.deny = evil").unwrap();
    fs::set_permissions(&site.last, PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(site.start().unwrap_err().to_string(), why);
    assert_eq!(site.get(Key::Deny), "");
}

#[test]
fn a_reload_keeps_the_old_set_on_an_error_and_never_widens_a_mask() {
    let site = Site::new();
    site.put("10.conf", "kernel.usermodehelper.bset = ~cap_sys_rawio cap_bpf\nkhelper.deny = a\nkhelper.allow = x");
    site.start().unwrap();
    let narrow = site.get(Key::Bset);
    site.put("10.conf", "khelper.deny = b\nno.such = 1");
    assert_eq!(site.reload().unwrap_err().errno(), Errno::EINVAL);
    assert_eq!((site.get(Key::Deny), site.lines(Key::Deny)), ("a".into(), "10.conf:2".into()));
    // cap_bpf would have to come back: the rest is applied.
    site.put("10.conf", "kernel.usermodehelper.bset = -cap_sys_rawio\nkhelper.deny = b");
    let applied = site.reload().unwrap();
    assert_eq!(applied.needs_restart, [Key::Bset]);
    assert_eq!((site.get(Key::Deny), site.get(Key::Bset)), ("b".into(), narrow.clone()));
    assert_eq!(site.get(Key::Allow), "", "what the files no longer set is the default");
    assert_eq!(site.drift().len(), 1);
    // The mask's line is gone: a full mask needs a restart too.
    site.put("10.conf", "khelper.era = current");
    assert_eq!(site.reload().unwrap().needs_restart, [Key::Bset]);
    assert_eq!((site.get(Key::Era), site.get(Key::Bset)), ("current".into(), narrow));
    // Nothing changes: nothing is written.
    assert_eq!(site.reload().unwrap().changes, []);
}

#[test]
fn sys_9_a_reload_after_the_first_request_keeps_the_era() {
    let site = Site::new();
    site.ask(Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None }).unwrap();
    site.put("10.conf", "khelper.era = current\nkhelper.deny = b");
    let applied = site.reload().unwrap();
    assert_eq!((applied.needs_restart, site.get(Key::Deny)), (vec![Key::Era], "b".into()));
}

#[test]
fn what_is_kept_is_read_at_the_next_start_and_can_be_removed() {
    let site = Site::new();
    site.put("zz-persist.conf", "# mine\nkhelper.deny = old\nkhelper.allow = y");
    let writes = vec![site.value("kernel.usermodehelper.bset=-cap_sys_rawio"), site.value("khelper.deny=a b")];
    let Reply::Written(changes) = site.ask(Command::Persist(writes)).unwrap() else { panic!() };
    let lines: Vec<_> = changes.iter().map(|c| c.source.as_ref().unwrap().line).collect();
    assert_eq!(lines, [3, 4]);
    let text = fs::read_to_string(site.path("zz-persist.conf")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((&lines[..2], lines[3]), (&["# mine", "khelper.allow = y"][..], "khelper.deny = a b"));
    let (mask, pid) = (site.get(Key::Bset), site.by.pid);
    assert_eq!(site.lines(Key::Deny), format!("pid {pid}"), "an actor set it");
    let site = site.again();
    site.start().unwrap();
    assert_eq!((site.get(Key::Bset), site.get(Key::Deny)), (mask, "a b".into()));
    assert_eq!(site.ask(Command::Unpersist(vec![Key::Deny])).unwrap(), Reply::Done);
    assert_eq!(site.get(Key::Deny), "a b", "what runs does not change");
    assert_eq!(site.ask(Command::Unpersist(vec![Key::Bset, Key::Deny])).unwrap_err().errno(), Errno::ENOENT);
    assert_eq!(site.drift().len(), 1, "all or none: the mask's line is still there");
}

#[test]
fn nothing_is_written_where_a_later_line_would_win() {
    let site = Site::new();
    for (name, text, winner) in
        [("zzz.conf", "khelper.deny = x", "zzz.conf:1"), ("zzz.conf", "\n-khelper.deny", "zzz.conf:2")]
    {
        site.put(name, text);
        let error = site.ask(Command::Persist(vec![site.value("khelper.deny=a")])).unwrap_err();
        assert!(error.to_string().contains(winner) && error.errno() == Errno::EEXIST, "{error}");
        assert_eq!((site.get(Key::Deny), site.path("zz-persist.conf").exists()), (String::new(), false));
    }
    // A pattern loses to a key, and an earlier file to a later one.
    site.put("zzz.conf", "khelper.d* = x");
    site.put("10.conf", "khelper.deny = y");
    site.ask(Command::Persist(vec![site.value("khelper.deny=a")])).unwrap();
    // A blank at the end cannot be expressed.
    let path = (Key::Modprobe, KnobValue::Path(b"/x "[..].into()));
    assert_eq!(site.ask(Command::Persist(vec![path])).unwrap_err().errno(), Errno::EINVAL);
    assert_eq!(site.get(Key::Modprobe), "/sbin/modprobe");
    // A refused write keeps nothing.
    let error = site.ask(Command::Persist(vec![site.value("khelper.max_concurrent=51")])).unwrap_err();
    assert_eq!(error.key(), Some("khelper.max_concurrent"));
    assert!(!fs::read_to_string(site.path("zz-persist.conf")).unwrap().contains("max_concurrent"));
}

#[test]
fn a_knob_that_cannot_be_kept_is_said_to_be_changed() {
    let site = Site::new();
    fs::remove_dir(site.dir.path().join("conf")).unwrap();
    assert_eq!(site.config.load(KNOWN).unwrap_err().errno(), Errno::ENOENT, "a folder that was named must exist");
    assert!(Config::new(vec![site.dir.path().join("conf")]).load(KNOWN).is_ok(), "those of the system need not");
    site.ask(Command::Persist(vec![site.value("khelper.deny=a")])).unwrap();
    assert!(site.path("zz-persist.conf").exists(), "the folder is made");
    fs::remove_dir_all(site.dir.path().join("conf")).unwrap();
    fs::write(site.dir.path().join("conf"), "").unwrap();
    let error = site.ask(Command::Persist(vec![site.value("khelper.deny=b")])).unwrap_err();
    assert_eq!((error.errno(), site.get(Key::Deny)), (Errno::ENOTDIR, "a".into()));
}

#[test]
fn drift_is_what_a_restart_would_change() {
    let site = Site::new();
    assert_eq!(site.diff(), Comparison::default());
    site.put("10.conf", "\nkernel.modprobe = /x\nkernel.usermodehelper.inheritable = -cap_chown");
    site.start().unwrap();
    assert_eq!(site.diff(), Comparison::default());
    let writes = ["kernel.modprobe=", "khelper.deny=z"].map(|setting| site.value(setting)).to_vec();
    site.ask(Command::Write(writes)).unwrap();
    assert_eq!(site.drift(), ["kernel.modprobe  /x 2", "khelper.deny z  0"]);
    site.ask(Command::SetDepth(crate::abi::depth::Depth::Freezing)).unwrap();
    site.put("10.conf", "khelper.max_concurrent = 7\nnonsense");
    let all = site.diff();
    assert!(all.faults.len() == 1 && all.faults[0].contains("10.conf:2"), "{:?}", all.faults);
    let keys: Vec<_> = all.drift.iter().map(|drift| drift.key).collect();
    assert_eq!(keys, [Key::Modprobe, Key::Inheritable, Key::Deny, Key::Gate, Key::MaxConcurrent]);
}

/// The defaults of the comparison are those of a new engine.
#[test]
fn sys_8_a_new_engine_has_the_defaults() {
    let engine = Engine::builder().host(FakeHost::new()).start().unwrap();
    let snapshot = engine.snapshot();
    for key in Key::ALL {
        assert_eq!(
            diff::running(&snapshot, key),
            match diff::default(key, snapshot.known) {
                KnobValue::Number(number) => number.into(),
                other => other,
            },
            "{key}"
        );
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        // Nearly a file.
        proptest::collection::vec(
            prop::sample::select(vec![
                &b"khelper.deny"[..],
                b"kernel/usermodehelper/*",
                b"kernel.modprobe",
                b" = ",
                b"=",
                b"-",
                b"\n",
                b"\r\n",
                b"#",
                b";",
                b"[",
                b"]",
                b"!",
                b"*",
                b"?",
                b"\\",
                b"\"",
                b"'",
                b"/x",
                b"full",
                b"\0",
                b"\xff",
                b" ",
                b"\t",
                b"a-z",
                b"0x1ffffffffff",
            ]),
            0..60,
        )
        .prop_map(|parts| parts.concat()),
    ]
}

fn value() -> impl Strategy<Value = (Key, KnobValue)> {
    let mask = any::<u64>().prop_map(|bits| KnobValue::from(CapMask::from_bits(bits) & KNOWN));
    let change = (any::<bool>(), any::<u64>(), any::<u64>()).prop_map(|(from_full, keep, drop)| {
        let (keep, drop) = (CapMask::from_bits(keep) & KNOWN, CapMask::from_bits(drop) & KNOWN);
        let drop = drop | CapMask::from_bits(1);
        KnobValue::Mask(MaskExpr::Change { from_full, keep: keep.minus(drop), drop })
    });
    let path = proptest::collection::vec(any::<u8>(), 0..254).prop_map(|mut path| {
        path.insert(0, b'/');
        path.retain(|b| !matches!(b, b'\n' | 0));
        path.push(b'x');
        KnobValue::Path(path.into())
    });
    let globs = proptest::collection::vec("[a-z*?_-]{1,8}|\\[[a-z]\\]|\\\\[#;\"']", 0..5)
        .prop_map(|globs| KnobValue::Globs(Globs::parse(globs.join(" ").as_bytes()).unwrap()));
    let depth = prop::sample::select(vec![
        crate::abi::depth::Depth::Enabled,
        crate::abi::depth::Depth::Freezing,
        crate::abi::depth::Depth::Disabled,
    ]);
    prop_oneof![
        path.prop_map(|value| (Key::Modprobe, value)),
        Just((Key::Modprobe, KnobValue::Path(b""[..].into()))),
        prop_oneof![mask, change, Just(KnobValue::from(KNOWN)), Just(CapMask::EMPTY.into())]
            .prop_map(|value| (Key::Bset, value)),
        globs.prop_map(|value| (Key::Deny, value)),
        depth.prop_map(|depth| (Key::Gate, depth.into())),
        (1u32..=50).prop_map(|number| (Key::MaxConcurrent, number.into())),
        prop::sample::select(vec![crate::abi::era::Era::V3_4, crate::abi::era::Era::Current])
            .prop_map(|era| (Key::Era, KnobValue::Era(era))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Hostile bytes, alone or as two files: no panic, every remark can be shown, and each knob has one setting.
    #[test]
    fn sysctl_d_any_bytes_are_read(one in bytes(), two in bytes()) {
        let file = |name: &str, bytes: Vec<u8>| File { path: PathBuf::from(name), bytes };
        let set = resolve(&[file("1", one), file("2", two)], KNOWN);
        for remark in set.faults.iter().chain(&set.warnings) {
            prop_assert!(!remark.to_string().chars().any(char::is_control), "{remark}");
        }
        let mut keys: Vec<Key> = set.settings.iter().map(|setting| setting.key).collect();
        prop_assert!(keys.iter().all(|key| key.writable()));
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), set.settings.len());
    }

    /// What is written for a value reads back as the same value, whatever else is in the file.
    #[test]
    fn sysctl_d_what_is_kept_reads_back((key, value) in value(), old in bytes()) {
        let line = edit::line(key, &value, KNOWN).unwrap();
        let new = edit::with(&old, key, &line, edit::HEAD);
        let set = resolve(&[File { path: PathBuf::from("f"), bytes: new.clone() }], KNOWN);
        let setting = set.settings.iter().find(|setting| setting.key == key);
        prop_assert_eq!(setting.map(|setting| &setting.value), Some(&value), "{}", String::from_utf8_lossy(&new));
        let (rest, found) = edit::without(&new, key);
        prop_assert!(found && edit::lines(&rest, key).is_empty());
        // The lines of other knobs are kept.
        for other in Key::ALL.into_iter().filter(|other| *other != key) {
            prop_assert_eq!(edit::lines(&new, other).len(), edit::lines(&old, other).len());
        }
    }
}
