//! UMH-12 on the real machine: what a helper cost, and the sets that it started and ended with.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use common::{am_root, run, skipped, stdout};
use khelper::engine::Engine;

/// A helper that counts, and works in the kernel, until each has cost it 0.12 s, and says then what it has cost so far:
/// user and system time in ticks, its children's included.
const BUSY: &str = "
while :; do
    head -c 2000000000 /dev/zero >/dev/null
    i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done
    read -r line </proc/$$/stat
    set -- ${line##*) }
    user=$((${12} + ${14})) system=$((${13} + ${15}))
    [ $user -ge $0 ] && [ $system -ge $0 ] && break
done
echo $user $system";

#[test]
fn umh_12_cpu_time_is_that_of_the_user_and_of_the_system() {
    let ticks = u64::try_from(nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap()).unwrap();
    let us = 1_000_000 / ticks;
    let engine = Engine::start().unwrap();
    let least = (ticks * 12 / 100).to_string();
    let record = run(&engine, &["/bin/sh", "-c", BUSY, &least]);
    let told = stdout(&record);
    let [user, system] = told.split_whitespace().map(|n| n.parse::<u64>().unwrap() * us).collect::<Vec<_>>()[..] else {
        panic!("{told:?}: {:?}", record.output)
    };
    // The helper reads whole ticks, and each of the four numbers may be one tick short.
    let slack = 4 * us;
    let cpu = record.cpu_us;
    assert!(cpu + slack >= user + system, "{cpu} µs, of them {user} user and {system} system");
    // After it read them it did next to nothing.
    assert!(cpu <= 2 * (user + system) + slack, "{cpu} µs, of them {user} user and {system} system");
}

/// A helper that cuts its own bounding set while it runs. It is looked at once, 5 ms after its start: where the machine
/// is so slow that it has cut itself by then, it is started again and given more time.
#[test]
fn umh_12_the_sets_of_the_start_are_not_those_of_the_end() {
    if !am_root() {
        return skipped("UMH-12: an ordinary user's helper has no capability to drop while it runs");
    }
    let engine = Engine::start().unwrap();
    let host = engine.snapshot().host.bounding.known().unwrap();
    let different = [0.05, 0.2, 1.0, 5.0].into_iter().find_map(|seconds| {
        let text = format!("sleep {seconds}; exec /usr/bin/setpriv --bounding-set=-chown /bin/true");
        let record = run(&engine, &["/bin/sh", "-c", &text]);
        assert_eq!(record.result, Some(0), "{:?}", record.output);
        let ended = record.caps.as_ref().unwrap();
        assert_eq!((host.bits() & 1, ended.bounding.bits()), (1, host.bits() & !1), "it has dropped cap_chown");
        record.caps_started.as_ref().filter(|started| started.bounding != ended.bounding).cloned()
    });
    let started = different.expect("at its start it still had what it dropped later");
    assert_eq!((started.bounding, started.permitted), (host, host));
}
