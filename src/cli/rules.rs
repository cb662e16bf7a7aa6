//! `khelper rules`: looks at rules, tries them on what a ledger has recorded, and learns them from it.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use crate::abi::escape::{screen, screen_again};
use crate::abi::record::Kind;
use crate::control::module_tree::ModuleTree;
use crate::control::profiles;
use crate::control::rules::{
    Folders, Replay, differing, from_path, is_before_rules, json, requester, text, to_import, was_denied,
};
use crate::policy::resolution::Tree;
use crate::policy::rules::{Learner, Remark, Rules, Source};

use super::exit::Verdict;
use super::output::{Answers, complain, say};
use super::rules_ledger::Ledger;
use super::rules_mode::{Asked, Enforce, Places, audit, enforce, off, status};
use super::target::NoTarget;

/// `rules`.
#[derive(Debug, clap::Args)]
pub struct RulesCommand {
    #[command(flatten)]
    no_target: NoTarget,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Turn the rules off at once, with or without a daemon, for the shim too
    Off {
        /// The usual way: nothing is waited for
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        places: Places,
    },
    /// Let everything run, and have the daemon report what the rules would deny
    Audit(Places),
    /// Enforce the rules, for good or until a time
    Enforce(Enforce),
    /// Show what the rules do and have decided, how many there are, and whether the shim gets verdicts
    Status(Places),
    /// Check files of rules: faults, rules that can never match, patterns that match nothing here, how far a deny spreads
    Check(Files),
    /// Show what rules would change for the requests that a ledger has recorded
    Test {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        ledger: Ledger,
    },
    /// Print rules that allow what a ledger has recorded, and deny the rest
    Learn(Ledger),
    /// Show which rules differ from those of the system's folders
    Diff(Files),
    /// Print rules as lines of modprobe.d, as far as these can say the same
    Export(Paths),
    /// Print rules made of lines of modprobe.d (blacklist, install with /bin/false or /bin/true, alias with off), or of
    /// lists of names of modules; what no rule can say is a comment
    Import {
        /// Files of modprobe.d, or with one name on each line
        #[arg(value_name = "FILE", required = true)]
        paths: Vec<PathBuf>,
    },
}

/// Files of rules.
#[derive(Debug, Default, clap::Args)]
struct Paths {
    /// Files of rules, or folders of files *.rules; by default those of the system: rules.d in /etc/khelper.d,
    /// /run/khelper.d and /usr/lib/khelper.d
    #[arg(value_name = "FILE")]
    paths: Vec<PathBuf>,
}

/// Files of rules, and how to answer.
#[derive(Debug, clap::Args)]
struct Files {
    #[command(flatten)]
    paths: Paths,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

impl Paths {
    fn sources(&self) -> Result<Vec<Source>, u8> {
        let read = || -> Result<Vec<Source>, _> {
            if self.paths.is_empty() {
                return Folders::default().read();
            }
            let mut all = Vec::new();
            for path in &self.paths {
                let files = from_path(path)?;
                if files.is_empty() {
                    say(&format!("{}: the folder has no file *.rules", screen(path.as_os_str().as_bytes())));
                }
                all.extend(files);
            }
            Ok(all)
        };
        read().map_err(|error| {
            complain(&error);
            Verdict::of_error(&error).code()
        })
    }

    /// The rules. Faults are printed: on stdout as JSON, else on stderr.
    fn rules(&self, json: bool, answers: &Answers) -> Result<Rules, u8> {
        Rules::parse(&self.sources()?).map_err(|faults| {
            for fault in &faults {
                match json {
                    true => answers.line(&json::fault(fault).to_string()),
                    false => complain(fault),
                }
            }
            answers.code(1)
        })
    }
}

impl Files {
    fn rules(&self, answers: &Answers) -> Result<Rules, u8> {
        self.paths.rules(self.json, answers)
    }
}

/// Performs it. Returns the exit code: 1 if there is a fault, or something would change.
///
/// `asked` asks a daemon for the state of its rules, if its sockets are the usual ones or it was chosen.
pub fn rules(args: &RulesCommand, asked: Asked<'_>) -> u8 {
    let answers = Answers::default();
    let done = match &args.verb {
        Verb::Off { now: _, places } => off(places, &answers),
        Verb::Audit(places) => audit(places, &answers),
        Verb::Enforce(args) => enforce(args, &answers),
        Verb::Status(places) => status(places, asked, &answers),
        Verb::Check(files) => check(files, &answers),
        Verb::Test { files, ledger } => test(files, ledger, &answers),
        Verb::Learn(ledger) => learn(ledger, &answers),
        Verb::Diff(files) => diff(files, &answers),
        Verb::Export(paths) => paths.rules(false, &answers).map(|rules| {
            answers.write(rules.modprobe_d().as_bytes(), b"");
            0
        }),
        Verb::Import { paths } => import(paths, &answers),
    };
    done.map_or_else(|code| code, |code| answers.code(code))
}

fn import(paths: &[PathBuf], answers: &Answers) -> Result<u8, u8> {
    let files: Vec<Source> = paths.iter().map(|path| to_import(path)).collect::<Result<_, _>>().map_err(|error| {
        complain(&error);
        Verdict::of_error(&error).code()
    })?;
    let made = crate::policy::rules::import(&files);
    answers.write(made.text.as_bytes(), b"");
    if made.left_out > 0 {
        say(&format!("{} left out: see the comments", text::counted(made.left_out, "line")));
    }
    Ok(0)
}

/// The modules of this kernel; says why they cannot be read.
fn tree() -> Option<Arc<Tree>> {
    ModuleTree::default().get().map_err(|why| say(&format!("what names resolve to is not known: {why}"))).ok()
}

fn check(files: &Files, answers: &Answers) -> Result<u8, u8> {
    let rules = files.rules(answers)?;
    let tree = tree();
    // Without an index nothing can be said of modules: every pattern would match nothing.
    let tree = tree.as_deref().filter(|tree| tree.dep.is_some());
    let mut remarks = rules.remarks(tree).unwrap_or_else(|error| {
        say(&format!("the index of this kernel's modules {error}"));
        Vec::new()
    });
    let lacking = without_profile(&rules);
    let code = u8::from(!lacking.is_empty());
    remarks.extend(lacking);
    for remark in &remarks {
        match files.json {
            true => answers.line(&json::remark(&rules, remark).to_string()),
            false => answers.line(&text::remark(&rules, remark)),
        }
    }
    if code == 0 && !files.json {
        answers.line(&format!("{}, no fault", text::counted(rules.rules().len(), "rule")));
    }
    Ok(code)
}

/// The rules that name a profile that is not there; says why that cannot be known.
fn without_profile(rules: &Rules) -> Vec<Remark> {
    match profiles::Folders::default().profiles() {
        Ok(profiles) => rules.without_profile(&|name| profiles.get(name).is_some()),
        Err(error) => {
            complain(&error);
            Vec::new()
        }
    }
}

fn test(files: &Files, ledger: &Ledger, answers: &Answers) -> Result<u8, u8> {
    let rules = files.rules(answers)?;
    let tree = if rules.needs_resolution() { tree() } else { None };
    let mut replay = Replay::new(&rules, tree);
    ledger.each(&mut |record, _| replay.add(record))?;
    match files.json {
        true => answers.line(&json::counts(&replay.counts).to_string()),
        false => text::counts(&replay.counts).iter().for_each(|line| answers.line(line)),
    }
    for (change, times) in &replay.changes {
        match files.json {
            true => answers.line(&json::change(change, *times).to_string()),
            false => answers.line(&text::change(change, *times)),
        }
    }
    Ok(u8::from(!replay.counts.is_same()))
}

fn learn(ledger: &Ledger, answers: &Answers) -> Result<u8, u8> {
    let mut learner = Learner::default();
    ledger.each(&mut |record, day| {
        if let (Kind::Module, Some(name)) = (record.kind, record.module.as_ref().filter(|_| !is_before_rules(record))) {
            learner.add(name, &requester(record), day, was_denied(record));
        }
    })?;
    answers.write(learner.text().as_bytes(), b"");
    Ok(0)
}

/// Prints the rules that are in one of both only, or at another place, as diff(1) does.
fn diff(files: &Files, answers: &Answers) -> Result<u8, u8> {
    let own = Paths::default().rules(files.json, answers)?;
    let others = files.rules(answers)?;
    let (removed, added) = differing(&own, &others);
    for (rules, change, mark) in [(&removed, "removed", "-"), (&added, "added", "+")] {
        for rule in rules {
            match files.json {
                true => answers.line(&json::differs(rule, change).to_string()),
                false => answers.line(&screen_again(&format!("{mark} {}  # {}", rule.text, rule.at))),
            }
        }
    }
    Ok(u8::from(!(removed.is_empty() && added.is_empty())))
}
