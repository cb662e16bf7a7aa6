//! The host's side: kernels, machines, the table.

mod args;
mod boot;
mod initrd;
mod kernels;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use args::{Args, What};
use boot::Booted;
use kernels::Kernel;
use table::Table;

use crate::deviation::{self, Deviation};
use crate::scenario::{self, Scenario};

/// Something that the suite needs is missing.
const MISSING: u8 = 69;
const USAGE: u8 = 64;

pub fn main(args: &[OsString]) -> ExitCode {
    let args = match Args::read(args) {
        Ok(args) => args,
        Err(text) => {
            eprintln!("{text}");
            return USAGE.into();
        }
    };
    let known = scenario::load(&source("tests/vm/scenarios")).unwrap_or_default();
    if !known.is_empty() && !known.iter().any(|s| deviation::matches(&args.only, &s.name)) {
        eprintln!("no scenario is called {}", args.only);
        return USAGE.into();
    }
    if args.what == What::Help {
        print!("{}", args::HELP);
        return ExitCode::SUCCESS;
    }
    match Suite::new(args) {
        Ok(suite) => suite.run(),
        Err(why) => {
            eprintln!("tests/vm: {why}");
            MISSING.into()
        }
    }
}

struct Suite {
    args: Args,
    scenarios: Vec<Scenario>,
    deviations: Vec<Deviation>,
    kernels: Vec<Kernel>,
    initrd: PathBuf,
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Suite {
    /// All that is needed; the error says what is missing.
    fn new(args: Args) -> Result<Self, String> {
        let scenarios = scenario::load(&source("tests/vm/scenarios"))?;
        let deviations = deviation::load(&source("assets/deviations.toml"))?;
        let cache = kernels::cache()?;
        let kernels = kernels::get(&cache, &args.kernels)?;
        let initrd = cache.join(format!("initrd-{}", std::process::id()));
        initrd::build(&initrd)?;
        Ok(Self { args, scenarios, deviations, kernels, initrd })
    }

    fn run(&self) -> ExitCode {
        let started = Instant::now();
        let passed = match self.args.what {
            What::Mutations => self.mutations(),
            What::Cost => {
                self.kernels.iter().for_each(|k| println!("{}", self.cost(k)));
                true
            }
            What::Compare | What::Help => self.compare(),
        };
        println!("took {} s", started.elapsed().as_secs());
        if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn compare(&self) -> bool {
        let mut table = Table::new(&self.deviations);
        let mut footer = Vec::new();
        for (kernel, boot, booted) in self.all_boots() {
            for scenario in self.of(kernel).filter(|s| s.boot == boot) {
                table.enter(kernel, &scenario.name, &booted);
            }
        }
        if self.args.whole() {
            footer.extend(self.kernels.iter().map(|k| self.cost(k)));
        }
        print!("{}", table.render(self.args.all_rows));
        footer.iter().for_each(|line| println!("{line}"));
        let wrong = table.wrong(self.args.whole());
        wrong.iter().for_each(|w| println!("WRONG: {w}"));
        println!("{}", table.summary());
        wrong.is_empty()
    }

    /// The scenarios of this run for a kernel.
    fn of(&self, kernel: &Kernel) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(|s| s.is_for(&kernel.series) && deviation::matches(&self.args.only, &s.name))
    }

    /// Every boot, two at a time: most of a machine's work is one after another.
    fn all_boots(&self) -> Vec<(&Kernel, &str, Booted)> {
        let mut jobs = Vec::new();
        for kernel in &self.kernels {
            let mut boots: Vec<&str> = self.of(kernel).map(|s| s.boot.as_str()).collect();
            boots.sort_unstable();
            boots.dedup();
            jobs.extend(boots.into_iter().map(|boot| (kernel, boot)));
        }
        let order = jobs.clone();
        // The longest first, so that neither of the two is idle at the end.
        jobs.sort_by_key(|(_, boot)| !["plain", "caller", "crowd"].contains(boot));
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while let Some((kernel, boot)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let started = Instant::now();
                let booted = self.boot(kernel, boot, self.args.mutation.as_deref(), &self.args.only);
                eprintln!("{} {boot}: {} s", kernel.series, started.elapsed().as_secs());
                done.lock().unwrap().push((*kernel, *boot, booted));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(work);
            }
        });
        let mut done = done.into_inner().unwrap();
        done.sort_by_key(|(kernel, boot, _)| order.iter().position(|(k, b)| k.series == kernel.series && b == boot));
        done
    }

    fn boot(&self, kernel: &Kernel, boot: &str, mutation: Option<&str>, only: &str) -> Booted {
        let mut words = format!("khelper.boot={boot} khelper.only={only}");
        if let Some(mutation) = mutation {
            words += &format!(" khelper.mutation={mutation}");
        }
        boot::boot(kernel, &self.initrd, &words, &self.args)
    }

    /// The ratio of the medians.
    fn cost(&self, kernel: &Kernel) -> String {
        let booted = self.boot(kernel, "cost", None, "*");
        let median = |mut all: Vec<u64>| {
            all.sort_unstable();
            all.get(all.len() / 2).map_or(0.0, |ns| *ns as f64 / 1000.0)
        };
        let Some((theirs, ours)) = booted.cost else { return format!("{}: no cost was measured", kernel.series) };
        let pairs = theirs.len();
        let (theirs, ours) = (median(theirs), median(ours));
        let build = if cfg!(debug_assertions) { "an unoptimised build" } else { "an optimised build" };
        format!(
            "{}: a request of the same tiny helper, median of {pairs}, interleaved: kernel {theirs:.0} us, \
             engine {ours:.0} us ({build}), ratio {:.2}",
            kernel.series,
            ours / theirs
        )
    }

    /// Each mistake must be noticed, and by the field that it belongs to.
    fn mutations(&self) -> bool {
        use khelper::abi::mutation::Mutation;
        if !cfg!(khelper_mutations) {
            println!("WRONG: this build cannot make mistakes: it needs RUSTFLAGS='--cfg khelper_mutations'");
            return false;
        }
        let mut all = true;
        for mutation in Mutation::ALL {
            let (scenario, field) = match mutation {
                Mutation::MasksNotApplied => ("mask-one", "CapBnd"),
                Mutation::StatusShifted => ("exit-1", "result"),
                Mutation::SlotLeaked => ("killed-callers-give-their-slots-back", "result"),
                Mutation::EnvironmentGrown => ("exit-0", "env"),
                Mutation::UmaskKept => ("caller-umask", "umask"),
                Mutation::ThreadKept => ("caller-io-priority-idle", "I/O priority"),
                Mutation::MemoryKept => ("caller-core-filter", "core filter"),
                Mutation::KeyringKept => ("caller-session-keyring", "session keyring"),
                Mutation::RealTimeSignalsKept => ("caller-signals-ignored", "signals ignored"),
            };
            let kernel = &self.kernels[0];
            let boot = &self.scenarios.iter().find(|s| s.name == scenario).expect("it is in the files").boot;
            let mut table = Table::new(&self.deviations);
            let booted = self.boot(kernel, boot, Some(mutation.name()), scenario);
            table.enter(kernel, scenario, &booted);
            let different = table.different();
            let noticed = different.iter().any(|d| d == field);
            all &= noticed;
            let how = if noticed { "noticed" } else { "NOT NOTICED" };
            println!("{how}: {}: {scenario} differs in: {}", mutation.name(), different.join(", "));
        }
        all
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.initrd);
    }
}
