//! What a helper is confined to, as root and as an ordinary user.

use serde_json::Value;

use crate::{Helpers, Ran, is_root, khelper, run, skipped};

const BSET: &str = "kernel.usermodehelper.bset";

fn own(field: &str) -> u64 {
    let status = procfs::process::Process::myself().unwrap().status().unwrap();
    match field {
        "bounding" => status.capbnd.unwrap(),
        _ => status.capprm,
    }
}

fn sets(caps: &Value) -> [u64; 5] {
    ["bounding", "permitted", "effective", "inheritable", "ambient"]
        .map(|set| u64::from_str_radix(caps[set].as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap())
}

fn probe(value: &str) -> Value {
    run(["--set", &format!("{BSET}={value}"), "probe", "--json"]).exits(0).record()
}

#[test]
fn umh_10_the_bounding_set_is_exactly_what_bset_leaves() {
    let record = probe("cap_sys_module");
    if !is_root() {
        // UMH-11: confined by no_new_privs, and its bounding set still reads wide.
        assert_eq!(record["enforced"], "no_new_privs");
        assert_eq!(record["probe"]["no_new_privs"], true);
        assert_eq!(sets(&record["probe"]["caps"])[1..], [0; 4]);
        assert!(run(["--set", &format!("{BSET}=cap_sys_module"), "probe"]).text().contains("no_new_privs"));
        return;
    }
    let left = (1 << 16) & own("bounding");
    assert_eq!(record["enforced"], "masks");
    assert_eq!(record["probe"]["no_new_privs"], false);
    assert_eq!(sets(&record["probe"]["caps"]), [left, left, left, 0, 0]);
    assert_eq!(record["probe"]["caps"], record["caps"], "what it saw is what the record holds");
}

#[test]
fn umh_10_an_empty_bset_leaves_nothing() {
    let caps = sets(&probe("empty")["probe"]["caps"]);
    assert_eq!(caps[1..], [0; 4]);
    assert!(!is_root() || caps[0] == 0);
}

#[test]
fn umh_10_an_inheritable_set_cannot_defeat_bset() {
    if !is_root() {
        return skipped("an ordinary user has no capability to put into its inheritable set");
    }
    // Capability sets are a thread's: this one alone is changed, and its children inherit from it.
    let test = std::thread::spawn(|| {
        let all = caps::read(None, caps::CapSet::Permitted).unwrap();
        caps::set(None, caps::CapSet::Inheritable, &all).unwrap();
        for (bset, left) in
            [("empty", 0), ("cap_sys_module", 1 << 16), ("-cap_sys_admin", own("permitted") & !(1 << 21))]
        {
            let ran =
                Ran::of(khelper().args(["--set", &format!("{BSET}={bset}"), "probe", "--json"]).output().unwrap());
            let caps = sets(&ran.exits(0).record()["probe"]["caps"]);
            assert_eq!(
                caps,
                [left & own("bounding"), left & own("bounding"), left & own("bounding"), left, 0],
                "{bset}"
            );
        }
        // The inheritable mask cuts what is inherited.
        let ran =
            khelper().args(["--set", "kernel.usermodehelper.inheritable=empty", "probe", "--json"]).output().unwrap();
        assert_eq!(sets(&Ran::of(ran).exits(0).record()["probe"]["caps"])[3], 0);
    });
    test.join().unwrap();
}

#[test]
fn masks_of_a_call_of_its_own() {
    let ran = run(["run", "--bset", "-cap_sys_module", "--json", "--", "/bin/true"]).exits(0).record();
    let [bounding, permitted, ..] = sets(&ran["caps"]);
    if is_root() {
        assert_eq!((bounding, permitted), (own("bounding") & !(1 << 16), own("bounding") & !(1 << 16)));
    } else {
        assert_eq!((ran["enforced"].as_str(), permitted), (Some("no_new_privs"), 0));
    }
    // It can only be narrower than the knob.
    let both = run(["--set", &format!("{BSET}=cap_chown"), "run", "--bset", "full", "--json", "--", "/bin/true"]);
    let [bounding, permitted, ..] = sets(&both.exits(0).record()["caps"]);
    let left = if is_root() { own("bounding") & 1 } else { 0 };
    assert_eq!(permitted, left);
    assert!(!is_root() || bounding == left);
}

#[test]
fn full_masks_of_an_ordinary_user_need_no_enforcing() {
    let record = run(["probe", "--json"]).exits(0).record();
    assert_eq!(record["enforced"], "masks");
    assert_eq!(sets(&record["probe"]["caps"])[0], own("bounding"));
}

/// What is said of a host that is not root: execve(2) gives capabilities to a set-user-ID program of root's, and
/// `no_new_privs` keeps it from doing so where a mask cuts.
#[test]
fn umh_11_a_set_user_id_program_gets_capabilities_only_while_the_masks_cut_nothing() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    if !is_root() {
        return skipped("only root can make a set-user-ID program of root's");
    }
    let helpers = Helpers::new();
    let copy = |from: &str, name: &str, mode| {
        let path = helpers.path(name);
        crate::program::write_program(&path, std::fs::read(from).unwrap());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    };
    let cat = copy("/bin/cat", "cat", 0o4755);
    // An ordinary user may not be able to reach the folder that it was built in.
    let khelper = copy(env!("CARGO_BIN_EXE_khelper"), "khelper", 0o755);
    let permitted = |command: &mut Command| {
        let status = Ran::of(command.uid(65534).gid(65534).output().unwrap());
        let line = status.exits(0).text().lines().find_map(|line| line.strip_prefix("CapPrm:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    if permitted(Command::new(&cat).arg("/proc/self/status")) == 0 {
        return skipped("the temporary folder is mounted nosuid");
    }
    let of = |bset: &str| {
        let mut command = Command::new(&khelper);
        command.args(["run", "--bset", bset, "--"]).arg(&cat).arg("/proc/self/status");
        permitted(&mut command)
    };
    assert_eq!((of("full"), of("empty")), (own("bounding"), 0));
    assert_eq!(of("-cap_chown"), 0, "one capability is cut, and none is gained");
}
