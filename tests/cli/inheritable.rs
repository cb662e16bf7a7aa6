//! A call's own `--inheritable`, from a host whose inheritable set is not empty.

use serde_json::Value;

use crate::{Ran, is_root, khelper, skipped};

fn set(record: &Value, name: &str) -> u64 {
    u64::from_str_radix(record["caps"][name].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn umh_10_inheritable_of_a_call_cuts_what_its_helper_inherits() {
    if !is_root() {
        return skipped("an ordinary user has no capability to put into its inheritable set");
    }
    // Capability sets are a thread's: this one alone is changed, and its children inherit from it.
    let test = std::thread::spawn(|| {
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.inheritable = sets.permitted;
        rustix::thread::set_capabilities(None, sets).unwrap();
        let bounding = procfs::process::Process::myself().unwrap().status().unwrap().capbnd.unwrap();
        let host = sets.inheritable.bits() & bounding;
        let run = |options: &[&str]| {
            let mut command = khelper();
            command.arg("run").args(options).args(["--json", "--", "/bin/true"]);
            Ran::of(command.output().unwrap()).exits(0).record()
        };
        let (chown, kill, setuid) = (1 << 0, 1 << 5, 1 << 7);
        for (options, left) in [
            (&[][..], host),
            (&["--inheritable", "cap_chown,cap_kill"], host & (chown | kill)),
            (&["--inheritable", "-cap_setuid"], host & !setuid),
            (&["--inheritable", "empty"], 0),
            // The bounding mask cuts it too.
            (&["--inheritable", "cap_chown,cap_kill", "--bset", "cap_kill,cap_setuid"], host & kill),
        ] {
            let record = run(options);
            assert_eq!(set(&record, "inheritable"), left, "{options:?}: {}", record["caps"]);
            let whole = if options.contains(&"--bset") { bounding & (kill | setuid) } else { bounding };
            assert_eq!(set(&record, "bounding"), whole, "{options:?}: {}", record["caps"]);
        }
        assert_ne!(host & (chown | kill | setuid), 0, "there was something to cut");
    });
    test.join().unwrap();
}
