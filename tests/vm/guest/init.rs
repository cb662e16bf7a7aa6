//! Pid 1 of the machine: mounts what is needed, runs the scenarios of this boot, and turns the machine off.

use std::io::Write;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};

use super::runner::Runner;
use crate::observation::Line;
use crate::scenario::load;

pub fn main() -> ExitCode {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("devpts", "/dev/pts"),
        ("tracefs", "/sys/kernel/tracing"),
        ("cgroup2", "/sys/fs/cgroup"),
        ("tmpfs", "/tmp"),
    ] {
        // devtmpfs has no folder for devpts.
        std::fs::create_dir_all(at).unwrap();
        let none = None::<&str>;
        mount(Some(kind), at, Some(kind), MsFlags::empty(), none).unwrap_or_else(|e| panic!("mount {at}: {e}"));
    }
    let mut serial = Serial::open();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim().to_owned();
    serial.say(&Line::Booted { release });
    super::place::prepare();
    run(&mut serial);
    serial.say(&Line::Done);
    tcdrain(serial.0.as_fd()).unwrap();
    // SAFETY: a flag; nothing is left that could be lost.
    unsafe { libc::reboot(libc::RB_AUTOBOOT) };
    ExitCode::FAILURE
}

fn run(serial: &mut Serial) {
    let boot = argument("boot").unwrap();
    if boot == "cost" {
        serial.say(&super::cost::measure());
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let series = release.split('.').take(2).collect::<Vec<_>>().join(".");
    let only = argument("only").unwrap_or_else(|| "*".into());
    let mut runner = Runner::new(argument("mutation"));
    for scenario in load(std::path::Path::new(super::SCENARIOS)).unwrap() {
        if scenario.boot != boot || !scenario.is_for(&series) || !crate::deviation::matches(&only, &scenario.name) {
            continue;
        }
        // A panic would be the end of the machine, and of all scenarios after this one.
        let ran = catch_unwind(AssertUnwindSafe(|| runner.run(&scenario)));
        match ran.unwrap_or_else(|_| Err("it panicked; see the console (--console)".into())) {
            Ok(sides) => {
                for seen in sides {
                    serial.say(&Line::Seen { scenario: scenario.name.clone(), seen });
                }
            }
            Err(why) => serial.say(&Line::Failed { scenario: scenario.name.clone(), why }),
        }
    }
}

/// `khelper.NAME=VALUE` of the kernel's command line.
fn argument(name: &str) -> Option<String> {
    let line = std::fs::read_to_string("/proc/cmdline").unwrap();
    let start = format!("khelper.{name}=");
    line.split_whitespace().find_map(|word| word.strip_prefix(&start).map(str::to_owned))
}

struct Serial(std::fs::File);

impl Serial {
    fn open() -> Self {
        let file = std::fs::File::options().read(true).write(true).open("/dev/ttyS1").unwrap();
        let mut settings = tcgetattr(&file).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&file, SetArg::TCSANOW, &settings).unwrap();
        Self(file)
    }

    fn say(&mut self, line: &Line) {
        writeln!(self.0, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }
}
