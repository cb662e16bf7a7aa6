//! One machine, from its start to its end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::tree::Tree;
use crate::guest::{FAILED, LINE, MODULES, NOTE, PASSED, RECORD, Test, Where};

/// A machine that lives longer hangs, however busy this one is.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much of the kernel's last words is shown.
const LAST: usize = 12;

/// What can be booted.
pub enum Machine {
    Uml { version: String, folder: PathBuf },
    Qemu { series: String, image: PathBuf, modules: Vec<PathBuf>, tree: Option<Tree> },
}

/// What pid 1 said.
#[derive(Default)]
pub struct Said {
    pub notes: Vec<String>,
    /// Why the test failed.
    pub failure: Option<String>,
    pub recording: Option<String>,
}

impl Machine {
    pub fn name(&self) -> String {
        match self {
            Self::Uml { version, .. } => format!("uml-{version}"),
            Self::Qemu { series, .. } => format!("vm-{series}"),
        }
    }

    /// Programs that the kernel starts on real machines.
    pub fn tools(&self) -> Vec<PathBuf> {
        match self {
            Self::Uml { folder, .. } => {
                ["kmod", "request-key", "keyctl"].map(|name| folder.join("tools").join(name)).into()
            }
            Self::Qemu { tree, .. } => tree.iter().flat_map(|tree| tree.tools.clone()).collect(),
        }
    }

    /// Where the machine has its modules, and with them what depmod(8) made; and where they are here.
    pub fn modules(&self) -> Result<Vec<(PathBuf, PathBuf)>, String> {
        match self {
            Self::Uml { folder, .. } => below(&folder.join("modules")),
            Self::Qemu { modules, tree, .. } => {
                let mut all = tree.as_ref().map_or(Ok(Vec::new()), |tree| below(&tree.root))?;
                all.extend(modules.iter().map(|file| (at_top(file), file.clone())));
                Ok(all)
            }
        }
    }

    /// Boots it for one test. `more` are words for the kernel's command line.
    ///
    /// An emulated machine may crash or hang by itself (QEMU's TCG with two CPUs): one without a verdict is tried again,
    /// which is said. A verdict is never asked for twice.
    pub fn run(&self, initrd: &Path, test: &Test, more: &str, console: bool) -> Said {
        let mut tries = if matches!(self, Self::Qemu { .. }) { 3 } else { 1 };
        loop {
            tries -= 1;
            let (said, is_verdict) = self.run_once(initrd, test, more, console);
            match &said.failure {
                Some(why) if !is_verdict && tries > 0 => eprintln!("    tried again: {why}"),
                _ => return said,
            }
        }
    }

    /// The same, and whether the guest gave a verdict.
    fn run_once(&self, initrd: &Path, test: &Test, more: &str, console: bool) -> (Said, bool) {
        let folder = tempfile::tempdir().expect("a folder for the machine");
        let ended = self.command(initrd, test, more, folder.path()).and_then(|command| wait(command, folder.path()));
        let read =
            |name: &str| String::from_utf8_lossy(&fs::read(folder.path().join(name)).unwrap_or_default()).into_owned();
        let (said, kernel) = (read("said"), read("console"));
        if console {
            eprintln!("{kernel}{said}");
        }
        let mut all = parse(&said);
        let is_verdict = ended.is_ok() && all.failure.as_deref() != Some("");
        if let Err(why) = ended {
            all.failure = Some(why);
        } else if all.failure.as_deref() == Some("") {
            let lines: Vec<&str> = kernel.lines().chain(said.lines()).filter(|line| !line.trim().is_empty()).collect();
            let last = lines[lines.len().saturating_sub(LAST)..].join(" / ");
            all.failure = Some(format!("the machine ended without a verdict; its last words: {last}"));
        }
        (all, is_verdict)
    }

    /// The serial line goes to the file `said`, the kernel's messages to `console`.
    fn command(&self, initrd: &Path, test: &Test, more: &str, folder: &Path) -> Result<Command, String> {
        let make = |name: &str| File::create(folder.join(name)).map_err(|e| format!("{name}: {e}"));
        let words = format!("rdinit=/init panic=-1 quiet khelper.test={} {} {more}", test.name, test.boot);
        let mut command;
        match self {
            Self::Uml { folder, .. } => {
                let linux = if matches!(test.place, Where::Static | Where::Handler) { "linux.static" } else { "linux" };
                command = Command::new(folder.join(linux));
                command.args(["mem=768M", "con=null", "con0=null,fd:2", "ssl=null", "ssl0=null,fd:1"]);
                command.arg(format!("initrd={}", initrd.display())).args(words.split_whitespace());
                command.stdout(make("said")?).stderr(make("console")?);
            }
            Self::Qemu { image, .. } => {
                command = Command::new("qemu-system-x86_64");
                let serial = |name: &str| format!("file:{}", folder.join(name).display());
                command
                    .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2"])
                    .args(["-m", "768", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"])
                    .args(["-monitor", "none", "-serial", &serial("said"), "-serial", &serial("console")])
                    .arg("-kernel")
                    .arg(image)
                    .arg("-initrd")
                    .arg(initrd)
                    .arg("-append")
                    .arg(format!(
                        "console=ttyS1 reboot=t mitigations=off nokaslr tsc=reliable no_timer_check audit=0 \
                         random.trust_cpu=on {words}"
                    ));
            }
        }
        // User-mode Linux keeps its memory in the one and its name in the other.
        command.stdin(Stdio::null()).env("TMPDIR", folder).env("HOME", folder).process_group(0);
        Ok(command)
    }
}

/// Every file of a folder that stands for `/`: where it is in the machine, and where it is here.
fn below(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let files = files(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let at = |file: &PathBuf| file.strip_prefix(folder).map(|path| Path::new("/").join(path)).ok();
    Ok(files.into_iter().filter_map(|file| Some((at(&file)?, file))).collect())
}

/// Of a virtual machine: without the folders of their kind.
fn at_top(module: &Path) -> PathBuf {
    Path::new(MODULES).join(module.file_name().unwrap_or_default())
}

/// Every file below a folder.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { all.extend(files(&path)?) } else { all.push(path) }
    }
    Ok(all)
}

/// Waits for its end, and no longer than [`PATIENCE`].
fn wait(mut command: Command, folder: &Path) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let wrong = |e: std::io::Error| format!("{}: {e}", Path::new(&program).display());
    let machine = Group(command.spawn().map_err(wrong)?);
    let pidfd =
        rustix::process::pidfd_open(rustix::process::Pid::from_child(&machine.0), rustix::process::PidfdFlags::empty())
            .map_err(|e| format!("{}: {e}", folder.display()))?;
    let began = Instant::now();
    while let Some(rest) = PATIENCE.checked_sub(began.elapsed()) {
        let rest = Timespec { tv_sec: i64::try_from(rest.as_secs()).unwrap_or(0) + 1, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&rest)) == Ok(1) {
            return Ok(());
        }
    }
    Err(format!("the machine did not end within {} s", PATIENCE.as_secs()))
}

/// A machine and the processes that it made: all of them end with it. It is reaped here alone, so its number is its own
/// until then.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// An empty failure: no verdict came.
fn parse(said: &str) -> Said {
    let mut all = Said { failure: Some(String::new()), ..Said::default() };
    for line in said.lines() {
        let Some(rest) = line.trim_end().strip_prefix(LINE) else { continue };
        let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            NOTE => all.notes.push(text.to_owned()),
            FAILED => all.failure = Some(text.to_owned()),
            PASSED => all.failure = None,
            RECORD => all.recording = Some(text.to_owned() + "\n"),
            _ => {}
        }
    }
    all
}
