//! Plants faults in the sources, to check that the tests find them: `cargo test --test planted`; `-- --help` lists the
//! options. Each fault is a patch in this folder, listed in `faults.toml` with the tests that must fail with it. The
//! runner works on a copy of the sources with a separate target folder; it only reads the checkout.
//!
//! To add a fault: change the sources, `git diff -U1 > tests/planted/NN-name.patch`, undo the change, add a row.

mod args;
mod cargo;
mod copy;
mod faults;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use args::{Args, HELP};
use cargo::{Cargo, Results, say};
use copy::Copy;
use faults::{Fault, Test};

/// The result for one fault.
enum Verdict {
    /// Every listed test failed.
    Noticed,
    /// These tests passed, or did not run.
    Survived(Vec<Test>),
    /// The patch does not apply, or the tests did not build or run.
    Broken(String),
    /// Its tests need this.
    Skipped(&'static str),
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let args = Args::read(std::env::args_os().skip(1))?;
    if args.help {
        print!("{HELP}");
        return Ok(true);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chosen = choose(faults::read(root)?, &args.only)?;
    if args.list {
        chosen.iter().for_each(|fault| println!("{}: {}\n    {}", fault.name, fault.what, fault.tests.join("\n    ")));
        return Ok(true);
    }
    cargo::catch_interrupts();
    if args.check {
        return check(root, &chosen);
    }
    let temporary = tempfile::Builder::new().prefix("khelper-planted-").tempdir().map_err(|e| e.to_string())?;
    let dir = args.dir.as_deref().unwrap_or(temporary.path());
    let copy = Copy::make(root, &dir.join("source"))?;
    let cargo = Cargo::new(copy.root(), dir.join("target"));
    let mut rows = Vec::new();
    let tried: Vec<Fault> = chosen.iter().filter(|fault| missing(fault).is_none()).cloned().collect();
    let green = without_a_fault(&cargo, &tried)?;
    for fault in &chosen {
        let verdict = match missing(fault) {
            Some(what) => Verdict::Skipped(what),
            None => plant(&cargo, &copy, fault)?,
        };
        say(&format!("{}: {}", fault.name, words(&verdict)));
        rows.push((fault, verdict));
    }
    table(&rows);
    Ok(green && rows.iter().all(|(_, verdict)| matches!(verdict, Verdict::Noticed | Verdict::Skipped(_))))
}

/// What the tests of a fault need and is not there.
fn missing(fault: &Fault) -> Option<&'static str> {
    if fault.root && !nix::unistd::geteuid().is_root() {
        return Some("root");
    }
    let has_uml = std::env::var_os("KHELPER_UML").is_some_and(|folder| Path::new(&folder).join("version").is_file());
    (fault.uml && !has_uml).then_some("user-mode Linux, whose folder $KHELPER_UML names")
}

/// The faults that the arguments name, or all faults if there are no arguments.
fn choose(all: Vec<Fault>, only: &[String]) -> Result<Vec<Fault>, String> {
    if let Some(unknown) = only.iter().find(|name| !all.iter().any(|fault| fault.is(name))) {
        return Err(format!("there is no fault {unknown}: --list prints the faults"));
    }
    Ok(all.into_iter().filter(|fault| only.is_empty() || only.iter().any(|name| fault.is(name))).collect())
}

/// Whether every test passes without a fault. A test that fails anyway proves nothing.
fn without_a_fault(cargo: &Cargo, faults: &[Fault]) -> Result<bool, String> {
    let mut tests: Vec<Test> = faults.iter().flat_map(Fault::tests).collect();
    tests.sort();
    tests.dedup();
    say(&format!("building the tests of {} faults", faults.len()));
    cargo.build(&tests)?;
    let results = cargo.run(&tests)?;
    let red: Vec<Test> = tests.iter().filter(|test| results.ran.get(test) != Some(&true)).cloned().collect();
    for test in &red {
        let how = if results.ran.contains_key(test) { "fails" } else { "does not exist" };
        say(&format!("without a fault: {} {how}", name(test)));
    }
    say(&format!("without a fault: {} of {} tests pass", tests.len() - red.len(), tests.len()));
    Ok(red.is_empty())
}

/// Whether the patch of every fault applies to the checkout and every test of its row exists. Nothing is planted or run.
fn check(root: &Path, faults: &[Fault]) -> Result<bool, String> {
    let cargo = Cargo::of_checkout(root);
    let mut exist: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = 0;
    for fault in faults {
        if let Err(why) = copy::dry_run(&root.join(fault.patch()), root) {
            say(&format!("{}: the patch does not apply: {why}", fault.name));
            wrong += 1;
        }
        for test in fault.tests() {
            let names = match exist.entry(test.target.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(cargo.names(&test.target).map_err(|e| format!("{}: {e}", test.target))?)
                }
            };
            if !names.contains(&test.name) {
                say(&format!("{}: {} does not exist", fault.name, name(&test)));
                wrong += 1;
            }
        }
    }
    say(&format!("{} faults checked, {wrong} of their patches and tests are wrong", faults.len()));
    Ok(wrong == 0)
}

/// Plants a fault, runs its tests, restores the sources. The error is that the runner cannot go on.
fn plant(cargo: &Cargo, copy: &Copy, fault: &Fault) -> Result<Verdict, String> {
    let changed = match copy.apply(&fault.patch()) {
        Ok(changed) => changed,
        Err(why) => return Ok(Verdict::Broken(format!("the patch does not apply: {why}"))),
    };
    let tests = fault.tests();
    let results = cargo.build(&tests).and_then(|()| cargo.run(&tests));
    for file in changed {
        copy.restore(&file)?;
    }
    Ok(match results {
        Ok(results) => judge(tests, &results),
        Err(why) if cargo::interrupted() => return Err(why),
        Err(why) => Verdict::Broken(why),
    })
}

fn judge(tests: Vec<Test>, results: &Results) -> Verdict {
    let green: Vec<Test> = tests.into_iter().filter(|test| results.ran.get(test) != Some(&false)).collect();
    if green.is_empty() { Verdict::Noticed } else { Verdict::Survived(green) }
}

fn name(test: &Test) -> String {
    format!("{} {}", test.target, test.name)
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Noticed => "noticed".into(),
        Verdict::Survived(green) => format!("SURVIVED: {}", green.iter().map(name).collect::<Vec<_>>().join(", ")),
        Verdict::Broken(why) => format!("NOT TRIED: {why}"),
        Verdict::Skipped(what) => format!("skipped: needs {what}"),
    }
}

/// Prints a table with a line for each fault: its name, what it does, its failing tests and the verdict.
fn table(rows: &[(&Fault, Verdict)]) {
    println!("| fault | what it does | failing tests | verdict |\n|---|---|---|---|");
    for (fault, verdict) in rows {
        let red = match verdict {
            Verdict::Noticed => fault.tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", "),
            _ => "none".into(),
        };
        let verdict = words(verdict);
        println!("| {} | {} | {red} | {} |", fault.name, fault.what, verdict.lines().next().unwrap_or_default());
    }
    let noticed = rows.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Noticed)).count();
    println!("{noticed} of {} faults were noticed", rows.len());
}
