//! `khelper rules off | audit | enforce | status`: what the rules do. The order is a file that the daemon follows and the
//! shim's compiled rules, so that it needs no daemon.

use std::path::{Path, PathBuf};

use crate::abi::error::{ControlError, io_words};
use crate::abi::rules_mode::{Mode, ModeFor, RulesState};
use crate::abi::verdict::LOGGED;
use crate::control::module_tree::ModuleTree;
use crate::control::rules::text::counted;
use crate::control::rules::{Folders, Now, Order, OrderFile, compiled, publish, unknown_requesters};
use crate::control::shim::{self, Presence};
use crate::control::text::status::decisions;
use crate::policy::rules::{Fault, Rules};
use crate::sys::linux::waiting::misnamed;
use crate::sys::linux::{kernel_log, seqpacket};

use crate::verbs::knobs::trial_time;

use super::exit::{UNAVAILABLE, USAGE, Verdict};
use super::output::{Answers, complain, say};

/// Where the daemon's files are: as `serve` has been told.
#[derive(Debug, clap::Args)]
pub struct Places {
    /// The folder of the daemon's ledger: the order is written beside it
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// The daemon's configuration folder, with the rules in its folder rules.d
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// The socket of the shim: the compiled rules are written beside it
    #[arg(long, value_name = "PATH")]
    shim_socket: Option<PathBuf>,
}

/// `rules enforce`.
#[derive(Debug, clap::Args)]
pub struct Enforce {
    /// Go back by itself after this time (such as 90s, 10m, 2h), or when the machine starts again, unless it is confirmed
    #[arg(long, value_name = "TIME", value_parser = trial_time, conflicts_with = "confirmed")]
    confirm: Option<u32>,
    /// Confirm: what was ordered with --confirm stays
    #[arg(long)]
    confirmed: bool,
    /// Enforce rules with conditions on the requester even where the kernel does not tell the shim who asks
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    places: Places,
}

impl Places {
    fn order(&self) -> OrderFile {
        let beside = |ledger: &PathBuf| std::path::absolute(ledger).ok()?.parent().map(OrderFile::beside);
        self.ledger.as_ref().and_then(beside).unwrap_or_default()
    }

    fn compiled(&self) -> PathBuf {
        let beside = self.shim_socket.as_deref().and_then(Path::parent);
        beside.map_or_else(|| PathBuf::from(shim::RULES), |folder| folder.join("rules.bin"))
    }

    /// The rules; every fault is printed.
    fn rules(&self) -> Result<Rules, u8> {
        let folders =
            self.config.as_ref().map_or_else(Folders::default, |folder| Folders::only(folder.join("rules.d")));
        let sources = folders.read().map_err(|error| failed(&error))?;
        Rules::parse(&sources).map_err(|faults| {
            faults.iter().for_each(|fault: &Fault| complain(fault));
            1
        })
    }

    /// The order for this mode, after the one that is there.
    fn next(&self, wanted: ModeFor, now: &Now) -> Order {
        Order::next(self.order().read().ok().flatten().as_ref(), wanted, now)
    }

    /// Writes the order and the compiled rules. The order comes first: with one of them nothing runs that is denied by it.
    fn write(&self, order: &Order) -> Result<(), u8> {
        let rules = if order.mode == Mode::Off { Rules::default() } else { self.rules()? };
        self.order().write(order).map_err(|error| failed(&error))?;
        self.publish(order.mode, &rules)?;
        // A short trial may be over by now, and a daemon may have gone back already. Without an order the rules are off; a
        // daemon, which sees that the order was written again, writes its own.
        let now = Now::read();
        if order.is_over(&now) {
            self.publish(order.at(&now).unwrap_or(Mode::Off), &rules)?;
            self.order().write(order).map_err(|error| failed(&error))?;
        }
        self.wake();
        Ok(())
    }

    fn publish(&self, mode: Mode, rules: &Rules) -> Result<(), u8> {
        publish(&self.compiled(), &compiled(mode, rules, &ModuleTree::default())).map_err(|error| failed(&error))
    }

    fn socket(&self) -> PathBuf {
        self.shim_socket.clone().unwrap_or_else(|| PathBuf::from(shim::SOCKET))
    }

    /// A daemon that is there looks at its order when somebody connects.
    fn wake(&self) {
        let _ = seqpacket::listens(&self.socket());
    }
}

fn failed(error: &crate::abi::error::ControlError) -> u8 {
    complain(error);
    Verdict::of_error(error).code()
}

/// The rules are off.
pub fn off(places: &Places, answers: &Answers) -> Result<u8, u8> {
    places.write(&Order { mode: Mode::Off, until: None })?;
    answers.line("the rules are off, for the daemon and for the shim without it; turn them on again with `khelper rules enforce`");
    Ok(0)
}

/// What would be denied runs, and is reported.
pub fn audit(places: &Places, answers: &Answers) -> Result<u8, u8> {
    places.write(&Order { mode: Mode::Audit, until: None })?;
    answers.line("the rules deny nothing; the daemon reports what they would deny");
    Ok(0)
}

/// What is denied does not run.
pub fn enforce(args: &Enforce, answers: &Answers) -> Result<u8, u8> {
    let (places, now) = (&args.places, Now::read());
    if args.confirmed {
        return confirm(places, &now, answers);
    }
    if !args.anyway
        && let Some(why) = unknown_requesters(&places.rules()?, misnamed)
    {
        say(&format!("{why}; remove these rules, use `khelper rules audit`, or enforce them with --anyway"));
        return Err(UNAVAILABLE);
    }
    let order = places.next(ModeFor { mode: Mode::Enforce, seconds: args.confirm }, &now);
    places.write(&order)?;
    match order.goes_back(&now) {
        None => answers.line("the rules are enforced"),
        Some((seconds, back)) => answers.line(&format!(
            "the rules are enforced for {seconds} s, then {}; `khelper rules enforce --confirmed` keeps them",
            again(back)
        )),
    }
    Ok(0)
}

fn confirm(places: &Places, now: &Now, answers: &Answers) -> Result<u8, u8> {
    let order = places.order().read().map_err(|error| failed(&error))?;
    match order {
        Some(order) if order.goes_back(now).is_some() => {
            places.order().write(&Order { until: None, ..order }).map_err(|error| failed(&error))?;
            places.wake();
            answers.line("confirmed: the rules stay enforced");
            Ok(0)
        }
        Some(Order { mode: Mode::Enforce, until: None }) => {
            answers.line("the rules are enforced, and nothing has to be confirmed");
            Ok(0)
        }
        _ => {
            say("there is nothing to confirm: the rules have gone back, or were not enforced with --confirm");
            Err(USAGE)
        }
    }
}

/// What the rules do without an order.
const USUAL: &str = "that of `khelper serve --rules`";

/// What comes back after a trial.
fn again(back: Option<Mode>) -> String {
    format!("{} again", back.map_or("the mode of `khelper serve --rules`", Mode::name))
}

/// Asks a daemon for the state of its rules. Its argument says whether one at the usual socket would be the right one.
pub type Asked<'a> = &'a dyn Fn(bool) -> Result<Option<RulesState>, ControlError>;

/// What the rules of the daemon have decided.
fn decided(places: &Places, asked: Asked<'_>) -> String {
    match asked(places.shim_socket.is_none()) {
        Ok(Some(state)) => format!("since the daemon's start: {}", decisions(&state)),
        Ok(None) => "not known: this daemon has no rules, or is another one: name it with --target".to_owned(),
        Err(error) => format!("not known: {error}"),
    }
}

/// What the shim has decided without a daemon or without its answer, which it writes into the kernel's log alone.
fn undirected() -> String {
    let log = match kernel_log::count(LOGGED.map(|line| line.trim_ascii_end().as_bytes())) {
        Ok(log) => log,
        Err(error) => return format!("not known: /dev/kmsg: {}", io_words(&error)),
    };
    let [allowed, denied, closed] = log.counts;
    let closed = match closed {
        0 => String::new(),
        closed => format!(", and {closed} not run without a daemon (--fail-closed)"),
    };
    let since =
        if log.is_whole { "since the machine started" } else { "at least: the kernel's log has lost its beginning" };
    format!("{allowed} allowed and {denied} denied by the compiled rules{closed}, {since}")
}

/// Says what is in force. The exit code is 1 if something is at fault.
pub fn status(places: &Places, asked: Asked<'_>, answers: &Answers) -> Result<u8, u8> {
    let now = Now::read();
    let mut code = 0;
    match places.order().read() {
        Ok(None) => answers.line(&format!("mode: {USUAL}, off without it; nothing was ordered")),
        Ok(Some(order)) => {
            let at = places.order().shown();
            let back = order.goes_back(&now).map(|(left, back)| format!(", in {left} s {}", again(back)));
            let mode = order.at(&now).map_or(USUAL, Mode::name);
            answers.line(&format!("mode: {mode}{} (ordered in {at})", back.unwrap_or_default()));
        }
        Err(error) => code = failed(&error).min(1),
    }
    match places.rules() {
        Ok(rules) => {
            let stricter = match rules.compiled(ModuleTree::default().get().ok().as_deref()).stricter {
                0 => String::new(),
                count => format!("; {count} of them stricter for a shim without a verdict"),
            };
            answers.line(&format!("rules: {}{stricter}", counted(rules.rules().len(), "rule")));
            if let Some(why) = unknown_requesters(&rules, misnamed) {
                answers.line(&format!("requesters: {why}"));
                code = 1;
            }
        }
        Err(_) => {
            answers.line("rules: with faults, so those of before stay in force");
            code = 1;
        }
    }
    answers.line(match shim::behind(&places.socket()) {
        Presence::Alive => "shim: the daemon gives verdicts",
        Presence::Silent => {
            code = 1;
            "shim: the daemon does not answer, so the compiled rules decide"
        }
        Presence::Left => {
            code = 1;
            "shim: the daemon has ended without closing its socket, so the compiled rules decide"
        }
        Presence::Hidden => "shim: it is not known whether a daemon gives verdicts: connecting is not permitted",
        Presence::Absent => "shim: no daemon gives verdicts",
    });
    answers.line(&format!("decided: {}", decided(places, asked)));
    answers.line(&format!("without a verdict: {}", undirected()));
    Ok(code)
}
