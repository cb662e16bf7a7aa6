//! `khelper why`: who asked, for processes of four kinds.

use crate::asker::{Asker, root_of_unified};
use crate::{Fixture, errors, text};

#[test]
fn why_names_a_unit_a_container_a_claim_and_a_plain_user() {
    let Some(fixture) = Fixture::new() else { return };
    if root_of_unified().is_none() {
        return crate::common::skipped("no cgroups of version 2 are mounted here");
    }
    let own = std::process::id();
    let id = format!("{own:064x}");
    let unit = format!("system.slice/khelper-test-{own}.service");
    let container = format!("kubepods.slice/kubepods-test{own}.slice/cri-containerd-{id}.scope");
    let claim = format!("user.slice/user-65534.slice/khelper-test-{own}.service");
    let hierarchy = &fixture.hierarchy;
    let askers = [
        (
            Asker::start(hierarchy, 0, Some(&unit), b"cron", "1-e1"),
            0,
            "cron",
            format!("unit khelper-test-{own}.service"),
        ),
        (
            Asker::start(hierarchy, 0, Some(&container), b"app", "2-e2"),
            0,
            "app",
            format!("container cri-containerd {id}"),
        ),
        (
            Asker::start(hierarchy, 65534, Some(&claim), b"liar", "3-e3"),
            65534,
            "liar",
            format!("claims unit khelper-test-{own}.service"),
        ),
        (Asker::start(hierarchy, 65534, None, b"bash", "4-e4"), 65534, "bash", "no unit".to_owned()),
    ];
    let agent = hierarchy.agent();
    let agent = agent.to_str().unwrap();
    for (code, (asker, uid, comm, place)) in (1..).zip(&askers) {
        let by = format!("pid:{}", asker.pid());
        let said = fixture.until(&["--target", "kernel", "why", &by], |said| said.contains("Exit "));
        let lines: Vec<&str> = said.lines().collect();
        let asked = format!("Asked by \"{comm}\" (pid {}, uid {uid}, {place}).", asker.pid());
        assert!(lines[0].contains(&format!("release agent \"{agent}\"")) && lines[0].ends_with(&asked), "{said}");
        assert!(lines[1].contains("emptied a cgroup") && lines[2].starts_with(agent), "{said}");
        assert!(lines[3].starts_with(&format!("Exit {code} after ")), "{said}");
        // By the number of the helper's process, too.
        let helper = lines[2].split(" ran as pid ").nth(1).unwrap().split([' ', '.']).next().unwrap();
        assert_eq!(text(&fixture.ledger(&["why", &format!("pid:{helper}")])), said);
    }
    // By its name: the newest, and how many there were before.
    let newest = fixture.ledger(&["why", agent]);
    assert!(text(&newest).contains("Asked by \"bash\"") && errors(&newest).contains("earlier request"), "{newest:?}");
    // The unit that is believed, and no other, is found by its name.
    let unit = format!("khelper-test-{own}.service");
    let log = text(&fixture.ledger(&["log", "--unit", &unit]));
    assert!(log.lines().count() == 1 && log.contains("by \"cron\" pid "), "{log}");
    // None of it is the daemon's own.
    assert!(!text(&fixture.ledger(&["log"])).contains("daemon #"));
}
