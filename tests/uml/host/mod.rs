//! The host's side: which machines there are, and which tests each of them runs.

mod args;
mod coredump;
mod initrd;
#[path = "../../vm/host/kernels.rs"]
mod kernels;
mod machine;
mod tree;
mod uml;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::{Args, HELP};
use machine::{Machine, Said};

use crate::guest::{TESTS, Test, Where};

const USAGE: u8 = 64;
/// Something that virtual machines need is missing.
const MISSING: u8 = 69;

pub fn main(args: Vec<String>) -> ExitCode {
    let args = match Args::read(args) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return USAGE.into();
        }
    };
    if args.help {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if args.list {
        let named = TESTS.iter().filter(|test| args.wants(test.name));
        named.for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    let machines = match if args.vm { virtual_machines(&args) } else { uml::find().map(|one| vec![one]) } {
        Ok(machines) => machines,
        Err(why) if args.vm => {
            eprintln!("tests/uml: {why}");
            return MISSING.into();
        }
        Err(why) => {
            eprintln!("skipped: user-mode Linux: {why}");
            return ExitCode::SUCCESS;
        }
    };
    let folder = tempfile::tempdir().expect("a folder for the machine's files");
    let mut failed = 0;
    for machine in &machines {
        let initrd = folder.path().join("initrd");
        let handler = handler(machine, &args);
        if let Err(why) = initrd::build(&initrd, folder.path(), machine, &handler) {
            eprintln!("tests/uml: {why}");
            return ExitCode::FAILURE;
        }
        failed += all(machine, &initrd, &args, !handler.is_empty());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn virtual_machines(args: &Args) -> Result<Vec<Machine>, String> {
    let cache = kernels::cache()?;
    let machine = |kernel: kernels::Kernel| {
        let kernels::Kernel { series, image, modules } = kernel;
        let tree = tree::get(&cache, &series)?;
        Ok(Machine::Qemu { series, image, modules, tree })
    };
    kernels::get(&cache, &args.kernels)?.into_iter().map(machine).collect()
}

/// Debian's handler of cores, if a test of this machine needs it and it can be had.
fn handler(machine: &Machine, args: &Args) -> Vec<(PathBuf, PathBuf)> {
    if !chosen(machine, args).iter().any(|test| test.place == Where::Handler) {
        return Vec::new();
    }
    coredump::get().unwrap_or_else(|why| {
        eprintln!("skipped: systemd-coredump: {why}");
        Vec::new()
    })
}

/// The tests that are for this machine, or as many boots as are wanted.
fn chosen(machine: &Machine, args: &Args) -> Vec<&'static Test> {
    let is_here = |test: &&Test| match (test.place, machine) {
        (Where::Recorded, _) => args.record.is_some(),
        _ if args.record.is_some() => false,
        (Where::Boot, _) if args.boots.is_some() => true,
        _ if args.boots.is_some() => false,
        (Where::Everywhere, _)
        | (Where::Uml | Where::Static | Where::Handler | Where::Boot | Where::Twice, Machine::Uml { .. }) => true,
        (Where::Debian, Machine::Qemu { tree, .. }) => tree.is_some(),
        // Names are accepted in filters of events since Linux 6.12.
        (Where::Old, Machine::Qemu { series, .. }) => ["5.10", "6.1"].contains(&series.as_str()),
        _ => false,
    };
    let here: Vec<&Test> = TESTS.iter().filter(is_here).filter(|test| args.wants(test.name)).collect();
    let count = args.boots.unwrap_or(here.len());
    here.into_iter().cycle().take(count).collect()
}

/// Boots a machine for one test, or two of them one after the other.
fn run(machine: &Machine, initrd: &Path, test: &Test, console: bool) -> Said {
    if test.place != Where::Twice {
        return machine.run(initrd, test, "", console);
    }
    let kept = tempfile::tempdir().expect("a folder that the machine keeps");
    let words = |boot: u32| format!("khelper.boot={boot} khelper.kept={}", kept.path().display());
    let mut first = machine.run(initrd, test, &words(1), console);
    if first.failure.is_none() {
        let second = machine.run(initrd, test, &words(2), console);
        first.notes.extend(second.notes);
        first.failure = second.failure;
    }
    first
}

/// Runs every test that is for this machine. Returns how many failed.
fn all(machine: &Machine, initrd: &Path, args: &Args, has_handler: bool) -> usize {
    let mut failed = 0;
    let (began, mut chosen) = (Instant::now(), chosen(machine, args));
    chosen.retain(|test| test.place != Where::Handler || has_handler);
    for test in &chosen {
        let began = Instant::now();
        let Said { notes, mut failure, recording } = run(machine, initrd, test, args.console);
        if let (Some(folder), Some(recording)) = (&args.record, recording) {
            let file = Path::new(folder).join(format!("{}.json", machine.name()));
            failure = failure.or(std::fs::write(&file, recording).err().map(|e| format!("{}: {e}", file.display())));
        }
        notes.iter().for_each(|note| println!("    {note}"));
        let verdict = failure.as_ref().map_or("ok".to_owned(), |why| format!("FAILED: {why}"));
        // Of one machine alone, as every test program names its tests.
        let of = if args.vm { format!("{} ", machine.name()) } else { String::new() };
        println!("test {of}{} ... {verdict} ({:?})", test.name, tenths(began));
        failed += usize::from(failure.is_some());
    }
    if args.boots.is_some() {
        println!("{} boots of {} in {:?}, {failed} failed", chosen.len(), machine.name(), tenths(began));
    }
    failed
}

/// The time since then, in tenths of a second.
fn tenths(began: Instant) -> Duration {
    let took = began.elapsed();
    took - Duration::from_nanos(u64::from(took.subsec_nanos()) % 100_000_000)
}
