//! What names stand for, beside a real modprobe over the index of a real kernel: `.ci/module-tree target/debug/module-tree`
//! makes both. Nothing of it is installed, and modprobe only prints here.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/sampled.rs"]
mod sampled;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Dir, skipped};
use khelper::control::module_tree::ModuleTree;
use khelper::policy::resolution::{Step, Tree};
use khelper::policy::rules::{Remark, Rules, Source};
use sampled::Sampler;

/// A name that modprobe answers after each other one, so that the answers can be told apart.
const MARK: &str = "khelper-mark";
const MARK_CONFIG: &str = "alias khelper_mark khelper_mark_end\ninstall khelper_mark_end MARK\n";
/// How many names one process of modprobe gets.
const BATCH: usize = 400;

struct Real {
    /// The folder that .ci/module-tree made.
    root: PathBuf,
    release: String,
}

/// The real tree; says what is skipped without it.
fn real(what: &str) -> Option<Real> {
    let root = std::env::current_exe().unwrap().parent()?.parent()?.join("module-tree");
    let Ok(release) = std::fs::read_to_string(root.join("done")) else {
        skipped(&format!("{what}: no tree of modules and no modprobe; .ci/module-tree {} makes them", root.display()));
        return None;
    };
    Some(Real { root, release: release.trim().to_owned() })
}

impl Real {
    fn folder(&self) -> PathBuf {
        self.root.join("lib/modules").join(&self.release)
    }

    /// What modprobe prints for each name.
    fn asked(&self, option: &str, config: &Path, names: &[Vec<u8>]) -> Vec<Vec<String>> {
        use std::os::unix::ffi::OsStrExt;
        let mut all = Vec::new();
        for batch in names.chunks(BATCH) {
            let mut modprobe = Command::new(self.root.join("kmod"));
            modprobe.arg0("modprobe").arg("-d").arg(&self.root).arg("-S").arg(&self.release).arg("-C").arg(config);
            modprobe.args(["-a", option, "--"]);
            for name in batch {
                modprobe.arg(std::ffi::OsStr::from_bytes(name)).arg(MARK);
            }
            let output = modprobe.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut parts: Vec<Vec<String>> = vec![Vec::new()];
            for line in text.lines() {
                match line.trim_end() {
                    "khelper_mark_end" | "install MARK" => parts.push(Vec::new()),
                    other => parts.last_mut().unwrap().push(other.to_owned()),
                }
            }
            assert!(parts.pop().is_some_and(|rest| rest.is_empty()));
            assert_eq!(parts.len(), batch.len(), "{}", String::from_utf8_lossy(&output.stderr));
            all.extend(parts);
        }
        all
    }
}

/// A folder of modprobe.d with these files and the mark.
fn config(files: &[(&str, &str)]) -> Dir {
    let dir = Dir::new();
    for (name, text) in files.iter().chain(&[("zz-mark.conf", MARK_CONFIG)]) {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn resolved(tree: &Tree, name: &[u8]) -> Vec<String> {
    let modules = tree.lookup(name).unwrap();
    modules.into_iter().map(|module| String::from_utf8(module.name).unwrap()).collect()
}

/// The first two words of each line of `modprobe -D`.
fn planned(tree: &Tree, folder: &Path, name: &[u8]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let steps = tree.plan(name).unwrap();
    let line = |step: &Step| match step {
        Step::Insert { file } => format!("insmod {}", folder.join(text(file)).display()),
        Step::Command { command } => format!("install {}", text(command)),
        Step::BuiltIn { module } => format!("builtin {}", text(module)),
    };
    steps.iter().map(line).collect()
}

/// modprobe prints the options after the file or the command, and a list of options may begin with a blank.
fn without_options(line: &str) -> String {
    match line.strip_prefix("insmod ") {
        Some(rest) => format!("insmod {}", rest.split(' ').next().unwrap()),
        None => line.split(" with-option").next().unwrap().to_owned(),
    }
}

#[test]
fn names_resolve_as_modprobe_resolves_them() {
    let Some(real) = real("names resolve as modprobe resolves them") else { return };
    let names = Sampler::new(&real.folder(), 0x5eed).names(10_000);
    assert!(names.len() >= 10_000, "{}", names.len());
    let config = config(&[]);
    let tree = ModuleTree::new(real.folder(), vec![config.path().to_owned()]).get().unwrap();
    let theirs = real.asked("-R", config.path(), &names);
    let mut several = 0;
    let mut found = 0;
    for (name, theirs) in names.iter().zip(&theirs) {
        assert_eq!(&resolved(&tree, name), theirs, "{}", String::from_utf8_lossy(name));
        several += usize::from(theirs.len() > 1);
        found += usize::from(!theirs.is_empty());
    }
    println!("{} names: {found} resolve, {several} to several modules", names.len());
    assert!(several > 20 && found > names.len() / 2 && found < names.len(), "the sample is too plain");
}

/// Twenty configurations, each of one or more files.
const CONFIGS: [&[(&str, &str)]; 20] = [
    &[("a.conf", "")],
    &[("a.conf", "blacklist dccp\nblacklist btrfs\nblacklist nf-tables\nblacklist crc32c-intel\n")],
    &[("a.conf", "blacklist nf_tables # all of the rest of the line is ignored\n  blacklist\text4\n")],
    &[("a.conf", "alias net-pf-33 dummy\nalias fs-* ext4\nalias char-major-10-* btrfs\n")],
    &[("a.conf", "alias fs-xfs xfs\nalias fs-xfs btrfs\nalias fs-xfs no-such-module\n")],
    &[("a.conf", "install btrfs /bin/false\ninstall zstd_compress /bin/true one two\n")],
    &[("a.conf", "install xor /bin/false\ninstall dummy /bin/echo a\\\n  b\ninstall dummy /bin/second\n")],
    &[("a.conf", "install nf_* /bin/false\ninstall made-up /bin/echo made up\nremove also-made-up /bin/echo\n")],
    &[("a.conf", "softdep dummy pre: btrfs post: ext4 xfs\nsoftdep dummy pre: dm-mod\n")],
    &[("a.conf", "softdep btrfs post: dummy\nsoftdep dummy post: btrfs\nsoftdep xor pre: dummy\n")],
    &[("a.conf", "softdep nf_* pre: dummy\nsoftdep ext4 pre: dummy\nsoftdep x without pre\n")],
    &[("a.conf", "options dummy numdummies=2\noptions btrfs a=b c\noptions dummy x\n")],
    &[("a.conf", "install dummy /bin/false\nsoftdep dummy pre: ext4\nsoftdep xfs pre: dummy\n")],
    &[("b.conf", "alias a-name dummy\n"), ("a.conf", "alias a-name btrfs\n"), ("c.alias", "alias a-name xfs\n")],
    &[("a.conf.off", "alias fs-xfs dummy\n"), (".b.conf", "alias fs-xfs dummy\n"), ("README", "alias fs-xfs dummy\n")],
    &[("a.conf", "nonsense\nalias\nalias x\nalias fs-xfs[ dummy\nalias fs-x]fs dummy\nsoftdep\ninstall\nblacklist\n")],
    &[("a.conf", "include /etc/other\nconfig x\n#alias fs-xfs dummy\n # alias fs-xfs dummy\nalias fs-nfs dummy")],
    &[("a.conf", "alias fs-xfs \\\n dummy\nblack\\\nlist dccp\nalias fs-[a-m-]* dummy\nalias fs\\\\x dummy\n")],
    &[("a.conf", "alias symbol:* dummy\nalias net-pf-?? dummy\nalias crypto-[!a-m]* dummy\n")],
    &[("a.conf", "alias dummy btrfs\nalias ext4 dummy\ninstall ext4 /bin/true\nblacklist dummy\r\nblacklist xfs\n")],
];

#[test]
fn what_would_load_is_what_modprobe_shows() {
    let Some(real) = real("what would load is what modprobe shows") else { return };
    let mut names = Sampler::new(&real.folder(), 0xdead).names(350);
    let fixed = [
        "dummy",
        "btrfs",
        "ext4",
        "xfs",
        "dccp",
        "nf-tables",
        "nft-chain-2-nat",
        "fs-xfs",
        "fs-nfs",
        "fs-btrfs",
        "a-name",
        "made-up",
        "also-made-up",
        "net-pf-33",
        "net-pf-10-proto-132",
        "libcrc32c",
        "xor",
        "crc32c",
        "crypto-crc32c",
        "symbol:xfs_none",
        "symbol:crc32c",
        "no-such-name",
        "cifs",
        "nfsd",
        "vfio",
        "mpls_iptunnel",
        "act-mpls",
        "xt_LOG",
        "fs-x[",
        "fs-a-b",
    ];
    names.extend(fixed.map(|name| name.as_bytes().to_vec()));
    let (mut compared, mut differ) = (0, 0);
    let mut plain: Option<Vec<Vec<String>>> = None;
    for files in CONFIGS {
        let config = config(files);
        let tree = ModuleTree::new(real.folder(), vec![config.path().to_owned()]).get().unwrap();
        let theirs = real.asked("-D", config.path(), &names);
        for (name, theirs) in names.iter().zip(&theirs) {
            let theirs: Vec<String> = theirs.iter().map(|line| without_options(line)).collect();
            let ours = planned(&tree, &real.folder(), name);
            assert_eq!(ours, theirs, "{} with {files:?}", String::from_utf8_lossy(name));
            compared += 1;
        }
        differ += usize::from(plain.as_ref().is_some_and(|plain| *plain != theirs));
        plain.get_or_insert(theirs);
    }
    println!("{compared} plans");
    // All but the empty one, the one with names of other files, and the one with bad lines only.
    assert_eq!(differ, 17, "configurations that change a plan");
}

#[test]
fn a_deny_names_how_far_it_spreads_and_what_matches_nothing() {
    let Some(real) = real("a deny names how far it spreads") else { return };
    let tree = ModuleTree::new(real.folder(), Vec::new()).get().unwrap();
    let text = "deny module nf-conntrack no-such-module x?_s*\ndeny name no-such-name\nallow module ext4\n";
    let rules = Rules::parse(&[Source { path: "f".into(), text: text.into() }]).unwrap();
    let dep = std::fs::read_to_string(real.folder().join("modules.dep")).unwrap();
    let builtin = std::fs::read_to_string(real.folder().join("modules.builtin")).unwrap();
    let name = |file: &str| file.rsplit('/').next().unwrap().split('.').next().unwrap().replace('-', "_");
    let is_denied = |module: &str| {
        let rest = module.strip_prefix('x').and_then(|rest| rest.get(1..));
        module == "nf_conntrack" || rest.is_some_and(|rest| rest.starts_with("_s"))
    };
    let (mut own, mut others) = (builtin.lines().filter(|file| is_denied(&name(file))).count(), 0);
    for (module, needed) in dep.lines().filter_map(|line| line.split_once(':')) {
        if is_denied(&name(module)) {
            own += 1;
        } else if needed.split_whitespace().any(|needed| is_denied(&name(needed))) {
            others += 1;
        }
    }
    assert!(own > 1 && others > 5, "{own} {others}");
    let expected = [Remark::Nothing(0, "no-such-module".to_owned()), Remark::Spread(0, own, others)];
    assert_eq!(rules.remarks(Some(&tree)).unwrap(), expected);
}

#[test]
fn files_are_read_again_when_depmod_has_renamed_new_ones_into_place() {
    let dir = Dir::new();
    let tree = ModuleTree::new(dir.path().join("tree"), vec![dir.path().join("first"), dir.path().join("second")]);
    let named = |name: &[u8]| resolved(&tree.get().unwrap(), name);
    assert_eq!(named(b"x"), [""; 0], "no file exists");
    for folder in ["tree", "first", "second"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let write = |path: &str, text: &str| {
        let new = dir.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, dir.path().join(path)).unwrap();
    };
    write("second/a.conf", "alias x one\n");
    assert_eq!(named(b"x"), ["one"]);
    let before = tree.get().unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &tree.get().unwrap()), "nothing has changed");
    write("second/a.conf", "alias x two\n");
    assert_eq!(named(b"x"), ["two"]);
    write("first/a.conf", "alias x three\n");
    assert_eq!(named(b"x"), ["three"], "the first folder hides a file of the same name");
    write("tree/modules.dep.bin", "no index");
    let why = tree.get().unwrap_err().to_string();
    assert!(why.ends_with("/tree/modules.dep.bin: is not an index of depmod, or is damaged"), "{why}");
}
