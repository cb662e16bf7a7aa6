//! Pid 1 of a machine: mounts what is needed, runs the test of this boot, says what came of it, and turns it off.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};

use super::{FAILED, LINE, NOTE, PASSED, RECORD, TESTS};

pub fn main() -> ExitCode {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("securityfs", "/sys/kernel/security"),
        ("tracefs", "/sys/kernel/tracing"),
    ] {
        if let Err(error) = mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>) {
            eprintln!("mount {at}: {error}");
        }
    }
    // What panics says where; its standard error is the console.
    let console = File::options().write(true).open("/dev/console");
    if let Ok(console) = &console {
        let _ = rustix::stdio::dup2_stderr(console);
    }
    let mut serial = Serial::open();
    let (send, panicked) = std::sync::mpsc::channel();
    std::panic::set_hook(Box::new(move |info| {
        let _ = send.send(format!("{info}").replace('\n', " / "));
    }));
    let name = argument("test").unwrap_or_default();
    match TESTS.iter().find(|test| test.name == name) {
        None => serial.say(FAILED, &format!("no test is called {name:?}")),
        Some(test) => match catch_unwind(AssertUnwindSafe(|| (test.run)(&mut serial))) {
            Ok(()) => serial.say(PASSED, ""),
            Err(_) => serial.say(FAILED, &panicked.try_iter().collect::<Vec<_>>().join(" / ")),
        },
    }
    let _ = tcdrain(serial.0.as_fd());
    // A virtual machine ends when it starts again, user-mode Linux when it is off.
    let how = if fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.contains("reboot=t")) {
        libc::RB_AUTOBOOT
    } else {
        libc::RB_POWER_OFF
    };
    // SAFETY: a flag; nothing is left that could be lost.
    unsafe { libc::reboot(how) };
    ExitCode::FAILURE
}

/// `khelper.NAME=VALUE` of the kernel's command line.
pub fn argument(name: &str) -> Option<String> {
    let line = fs::read_to_string("/proc/cmdline").ok()?;
    let start = format!("khelper.{name}=");
    line.split_whitespace().find_map(|word| word.strip_prefix(&start).map(str::to_owned))
}

/// The line to the host.
pub struct Serial(File);

impl Serial {
    fn open() -> Self {
        let file = File::options().read(true).write(true).open("/dev/ttyS0").unwrap();
        let mut settings = tcgetattr(&file).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&file, SetArg::TCSANOW, &settings).unwrap();
        Self(file)
    }

    fn say(&mut self, word: &str, text: &str) {
        // A new line first: what the machine printed before may not have ended.
        writeln!(self.0, "\n{LINE}{word} {}", text.escape_debug().to_string().replace("\\\"", "\"")).unwrap();
    }

    /// A recording, for a file on the host.
    pub fn record(&mut self, recording: &serde_json::Value) {
        writeln!(self.0, "\n{LINE}{RECORD} {recording}").unwrap();
    }

    /// Something that a person may want to know: a figure.
    pub fn note(&mut self, text: &str) {
        self.say(NOTE, text);
    }
}
