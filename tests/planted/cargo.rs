//! Builds and runs the tests of the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, killpg, sigaction};
use nix::unistd::Pid;

use super::faults::Test;

/// The longest that the tests of one fault may take, without the build. A hang does not count as finding the fault.
const PATIENCE: Duration = Duration::from_secs(240);
/// The longest that a build may take. The first one builds every dependency.
const BUILD: Duration = Duration::from_secs(1800);
/// How often the runner checks for an interrupt.
const LOOK: Duration = Duration::from_millis(100);

/// The tests that ran, and their results.
#[derive(Debug, Default)]
pub struct Results {
    /// Each test that ran, and whether it passed.
    pub ran: BTreeMap<Test, bool>,
}

/// Cargo over the copy, with a target folder that every build shares; or over the checkout, with its own.
pub struct Cargo {
    source: PathBuf,
    target: Option<PathBuf>,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether the runner got a signal to end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Makes INT, TERM and HUP end the running command and its caller, so that folders are removed.
pub fn catch_interrupts() {
    extern "C" fn note(_: i32) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler stores to an atomic and does nothing else.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

impl Cargo {
    /// Over the copy in `source`.
    pub fn new(source: &Path, target: PathBuf) -> Self {
        Self { source: source.to_owned(), target: Some(target) }
    }

    /// Over the checkout in `source`; its target folder is cargo's usual one, so that little has to be built.
    pub fn of_checkout(source: &Path) -> Self {
        Self { source: source.to_owned(), target: None }
    }

    /// Builds the targets of `tests`. The error has the compiler's output.
    pub fn build(&self, tests: &[Test]) -> Result<(), String> {
        let targets: BTreeSet<&str> = tests.iter().map(|test| test.target.as_str()).collect();
        let mut cargo = self.command();
        cargo.arg("--no-run").args(targets.into_iter().flat_map(selected));
        let built = finish(cargo, BUILD)?;
        if built.succeeded { Ok(()) } else { Err(format!("does not build:\n{}", built.stderr)) }
    }

    /// Runs exactly these tests, target by target. A test that did not run is not among the results.
    pub fn run(&self, tests: &[Test]) -> Result<Results, String> {
        let mut results = Results::default();
        let targets: BTreeSet<&str> = tests.iter().map(|test| test.target.as_str()).collect();
        for target in targets {
            let names = tests.iter().filter(|test| test.target == target).map(|test| test.name.as_str());
            let mut cargo = self.command();
            cargo.args(selected(target)).args(["--", "--exact", "--test-threads=1"]).args(names);
            for line in finish(cargo, PATIENCE)?.stdout.lines() {
                let Some((name, result)) = line.strip_prefix("test ").and_then(|l| l.split_once(" ... ")) else {
                    continue;
                };
                // tests/uml says why after that.
                results.ran.insert(Test { target: target.into(), name: name.into() }, !result.contains("FAILED"));
            }
        }
        Ok(results)
    }

    /// Every test of a target; an ignored one is left out, since it never fails. The error is that the target does not
    /// exist or does not build.
    pub fn names(&self, target: &str) -> Result<BTreeSet<String>, String> {
        let list = |which: &[&str]| -> Result<BTreeSet<String>, String> {
            let mut cargo = self.command();
            cargo.args(selected(target)).args(["--", "--list"]).args(which);
            let listed = finish(cargo, BUILD)?;
            if !listed.succeeded {
                return Err(listed.stderr);
            }
            Ok(listed.stdout.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
        };
        let ignored = list(&["--ignored"])?;
        Ok(list(&[])?.difference(&ignored).cloned().collect())
    }

    fn command(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(["test", "--locked", "--no-fail-fast"]).current_dir(&self.source);
        command.env("CARGO_TERM_COLOR", "never");
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        // A picture that differs is a failure, and no file is written.
        command.env("INSTA_UPDATE", "no");
        command
    }
}

/// The arguments that choose a test target.
fn selected(target: &str) -> Vec<&str> {
    if target == "lib" { vec!["--lib"] } else { vec!["--test", target] }
}

/// The output of a command that has ended.
struct Finished {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

/// Runs a command to its end, in a separate process group, and reads both of its outputs meanwhile.
fn finish(mut command: Command, patience: Duration) -> Result<Finished, String> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("cargo cannot be started: {e}"))?;
    let group = Pid::from_raw(child.id().cast_signed());
    let (send, texts) = channel();
    if let Some(stdout) = child.stdout.take() {
        collect(stdout, true, send.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        collect(stderr, false, send);
    }
    let deadline = Instant::now() + patience;
    let [mut stdout, mut stderr] = [const { String::new() }; 2];
    let failed = loop {
        match texts.recv_timeout(LOOK) {
            Ok((is_stdout, text)) => *(if is_stdout { &mut stdout } else { &mut stderr }) = text,
            Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if interrupted() {
            break Some("interrupted".to_owned());
        }
        if Instant::now() >= deadline {
            break Some(format!("still running after {} s", patience.as_secs()));
        }
    };
    if let Some(why) = failed {
        // The command is not reaped yet, so the process group is still its own.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait();
        return Err(why);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok(Finished { succeeded: status.success(), stdout, stderr })
}

/// Reads `stream` to its end on another thread, and sends the text.
fn collect(mut stream: impl Read + Send + 'static, is_stdout: bool, to: Sender<(bool, String)>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        // The receiver was dropped only if the command was killed.
        let _ = to.send((is_stdout, String::from_utf8_lossy(&bytes).into_owned()));
    });
}

/// Prints progress to stderr.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "planted: {line}");
}
