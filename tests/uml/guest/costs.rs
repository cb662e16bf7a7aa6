//! What the shim costs a request for a module: beside the bare helper, in turn.

use std::fs;
use std::time::{Duration, Instant};

use super::asking::{LOG, module};
use super::boots::{Daemon, root, serve};
use super::init::Serial;

const SHIM: &str = "/usr/local/lib/khelper/shim";
const ROUNDS: usize = 400;

/// The least and the middle time of requests through each of these programs, in turn.
fn times(programs: [&str; 2]) -> [[Duration; 2]; 2] {
    let mut all = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (program, times) in programs.iter().zip(&mut all) {
            fs::write("/proc/sys/kernel/modprobe", program).unwrap();
            let began = Instant::now();
            module(&format!("{round}-e0"));
            times.push(began.elapsed());
        }
    }
    all.map(|mut times| {
        times.sort_unstable();
        [times[0], times[ROUNDS / 2]]
    })
}

pub fn beside_the_bare_helper(serial: &mut Serial) {
    root("allow *\n", "");
    for has_daemon in [false, true] {
        let daemon = has_daemon.then(|| Daemon::of(&mut serve("enforce")));
        fs::write(LOG, "").unwrap();
        let [bare, shim] = times(["/sbin/modprobe", SHIM]);
        assert_eq!(fs::read_to_string(LOG).unwrap().lines().count(), 2 * ROUNDS, "every helper runs");
        let with = if has_daemon { "with a verdict" } else { "without a daemon" };
        let more = [0, 1].map(|at| shim[at].saturating_sub(bare[at]));
        serial.note(&format!("{with}: least and middle {bare:?} bare, {shim:?} with the shim, {more:?} more"));
        daemon.into_iter().for_each(|mut daemon| daemon.kill());
    }
}
