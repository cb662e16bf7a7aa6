//! How a request ended, as a symbol and words. Rows, details, status lines and the command line all use these texts.

use nix::errno::Errno;

use crate::abi::actor::ChainLink;
use crate::abi::error::{Stage, errno_name};
use crate::abi::escape::{screen, screen_again};
use crate::abi::knob::Key;
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::wait::WaitStatus;

pub use super::pieces::took;
use super::pieces::{put_remarks, put_status};

/// The severity of a result, the worst last. Colour alone never shows it: each result also has its own symbol and
/// words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Success.
    Good,
    /// Neither success nor failure.
    Quiet,
    /// Refused or abandoned.
    Warned,
    /// Failed.
    Bad,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeText {
    /// One cell wide; each kind of outcome has its own.
    pub symbol: char,
    /// `exit 1 (raw 256)`.
    pub words: String,
    /// Its severity.
    pub mood: Severity,
}

impl OutcomeText {
    fn new(symbol: char, mood: Severity, words: impl Into<String>) -> Self {
        Self { symbol, words: words.into(), mood }
    }

    /// Symbol and words.
    pub fn text(&self) -> String {
        format!("{} {}", self.symbol, self.words)
    }
}

/// The module's name or the path, escaped; `''` if it is empty, and words if the kernel did not tell it.
pub fn title(record: &Record) -> String {
    match record.title() {
        b"" if record.kernel.is_some() => "(program not known)".to_owned(),
        b"" => "''".to_owned(),
        title => screen(title),
    }
}

/// How a request ended; each outcome has its own words and symbol.
pub fn ended_in_words(record: &Record) -> OutcomeText {
    let mut ending = match record.outcome {
        Outcome::Running => running(record),
        Outcome::Exited | Outcome::Killed => match record.status {
            Some(status) => status_in_words(status),
            None => lost(record),
        },
        Outcome::ExecFailed => exec_failed(record),
        Outcome::Refused => refused(record),
        Outcome::Abandoned => {
            let what =
                if record.pid.is_some() { "abandoned by the caller, the helper still runs" } else { "abandoned" };
            OutcomeText::new('↷', Severity::Warned, format!("{what}{}", errno(record)))
        }
        Outcome::Noop => OutcomeText::new('∅', Severity::Quiet, noop(record)),
        Outcome::Lost => lost(record),
    };
    put_remarks(&mut ending.words, record);
    ending
}

/// The current state of a request, or how it ended.
pub fn standing(r: &Record) -> OutcomeText {
    let (symbol, words) = match (r.state, r.pid) {
        (State::Ended, _) => return ended_in_words(r),
        (State::Waiting, _) => ('◷', "waits for a slot".to_owned()),
        (State::Queued, _) => ('▹', "queued".to_owned()),
        (State::Running, Some(pid)) => ('▸', format!("runs, pid {pid}")),
        (State::Running, None) => ('▸', "runs".to_owned()),
    };
    let gone = if r.abandoned { "caller gone, " } else { "" };
    OutcomeText {
        symbol,
        words: format!("{gone}{words}"),
        mood: if r.abandoned { Severity::Warned } else { Severity::Quiet },
    }
}

/// `ended_in_words` with the time it took: `✗ exit 1 (raw 256) · 12 ms`.
pub fn ended_with_time(record: &Record) -> String {
    let ending = ended_in_words(record).text();
    match record.took_us() {
        Some(us) => format!("{ending} · {}", took(us)),
        None => ending,
    }
}

/// One request on one line: its name, how it ended, the raw status, and the time it took.
pub fn line(record: &Record) -> String {
    let mut line = format!("{}: {}", title(record), ended_in_words(record).words);
    if let Some(enforced) = record.enforced.filter(|e| *e == Enforcement::NoNewPrivs) {
        line.push_str(&format!(", enforced by {}", enforced.name()));
    }
    if !record.not_enforced.is_empty() {
        let names: Vec<_> = record.not_enforced.iter().map(|n| n.name()).collect();
        line.push_str(&format!(", not enforced: {}", names.join(" ")));
    }
    if let Some(us) = record.ended_us {
        line.push_str(&format!(", {}", took(us)));
    }
    line
}

/// One request in one sentence: its id and name, how it ended, and for a failure the cause and the advice.
pub fn answered(record: &Record) -> String {
    let mut text = format!("#{} {}: {}", record.id, title(record), ended_with_time(record));
    if matches!(record.outcome, Outcome::Refused | Outcome::ExecFailed | Outcome::Lost | Outcome::Abandoned)
        && let Some(why) = record.why().filter(|_| record.ruled().is_none())
    {
        text.push_str(" — ");
        text.push_str(&screen_again(&why));
    }
    if !record.chain.is_empty() {
        text.push_str(&format!("; asked by {}", chain(&record.chain)));
    }
    text
}

/// The text under which outcomes are counted: [`ended_in_words`] without a pid.
pub fn kind_of_ending(record: &Record) -> String {
    match (record.outcome, record.pid) {
        (Outcome::Running, Some(_)) => "▸ runs, not waited for".to_owned(),
        _ => ended_in_words(record).text(),
    }
}

/// Whether [`why_failed`] has a failure to explain.
fn has_failed(record: &Record) -> bool {
    !matches!(record.outcome, Outcome::Running | Outcome::Exited | Outcome::Noop)
}

/// The chain of processes that requested it (REQ-12), and why a request failed, each on its own line; empty if it did not
/// fail. The reason is the last line, which is what is kept of a helper's stderr first.
pub fn why_failed(record: &Record) -> Vec<String> {
    if !has_failed(record) {
        return Vec::new();
    }
    let of_modprobe = record.stage == Some(Stage::Exec) && record.kind == Kind::Module;
    let knob = if of_modprobe { "kernel.modprobe: " } else { "" };
    let why = record.why().filter(|_| record.ruled().is_none());
    let why = why.map(|why| format!("{}: {knob}{why}", title(record)));
    let chain = (!record.chain.is_empty()).then(|| format!("{}: asked by {}", title(record), chain(&record.chain)));
    chain.into_iter().chain(why).collect()
}

/// A raw wait status, in words.
pub fn status_in_words(status: WaitStatus) -> OutcomeText {
    let mut words = String::new();
    put_status(&mut words, status);
    let symbol = match (status.exit_code(), status.signal()) {
        (Some(0), _) => return OutcomeText::new('✓', Severity::Good, words),
        (Some(_), _) => '✗',
        (None, Some(_)) if status.core() => '‡',
        (None, Some(_)) => '†',
        (None, None) => '?',
    };
    OutcomeText::new(symbol, Severity::Bad, format!("{words} (raw {})", status.raw()))
}

fn running(record: &Record) -> OutcomeText {
    match record.pid {
        Some(pid) if record.kernel.is_some() => OutcomeText::new('▸', Severity::Quiet, format!("running as pid {pid}")),
        Some(pid) => OutcomeText::new('▸', Severity::Quiet, format!("running as pid {pid}, not waited for")),
        None => OutcomeText::new('▸', Severity::Quiet, "queued, not waited for"),
    }
}

fn lost(record: &Record) -> OutcomeText {
    OutcomeText::new('?', Severity::Bad, format!("lost: how the helper ended is unknown{}", errno(record)))
}

/// What an empty path means: for a module request the knob is empty (REQ-10), for a call the caller gave none (UMH-2).
fn noop(record: &Record) -> String {
    if let (Some(_), Some(why)) = (&record.kernel, record.why()) {
        return screen_again(&why);
    }
    let why = match record.kind {
        Kind::Module => "no-op: the path is empty, autoload is off",
        Kind::Helper => "no-op: the call's path is empty, it names no program",
    };
    why.to_owned()
}

fn exec_failed(record: &Record) -> OutcomeText {
    let errno = errno(record);
    if record.stage == Some(Stage::Process) {
        return OutcomeText::new('¡', Severity::Bad, format!("cannot create a process{errno}"));
    }
    // The kernel does not tell the program of a helper that was not executed.
    let path = if record.path.is_empty() { String::new() } else { format!(": `{}`", screen(&record.path)) };
    OutcomeText::new('!', Severity::Bad, format!("exec failed{errno}{path}"))
}

fn refused(record: &Record) -> OutcomeText {
    let (symbol, by) = match record.stage {
        Some(Stage::Hook) => ('⊘', denied_by(record)),
        Some(Stage::Gate) => ('‖', "refused by the gate"),
        Some(Stage::Limit) => ('∞', "refused by the limit"),
        Some(Stage::Throttle) => ('◷', "throttled, no slot in 5 s"),
        Some(Stage::Name) => ('≠', "refused, invalid module name"),
        Some(Stage::Path) => ('/', "refused, no path to run"),
        Some(Stage::Forked) => ('⊗', "refused in a forked child of the engine's process"),
        Some(Stage::Loop) if record.errno == Some(Errno::ECANCELED) => ('↻', "refused, its chain is being ended"),
        Some(Stage::Loop) => ('↻', "refused, an engine within an engine"),
        Some(Stage::Init) => ('⊖', "refused by the init hook"),
        Some(Stage::Enforce) => ('⊠', "refused, the masks cannot be enforced"),
        _ => ('⊗', "refused"),
    };
    OutcomeText::new(symbol, Severity::Warned, format!("{by}{}", errno(record)))
}

/// Which part of the security hook denied the name (REQ-2); of the kernel's own helpers, rules alone deny any. The cause that `judge_name` writes begins with the knob, that
/// of a rule with `denied by`.
pub(crate) fn denied_by(record: &Record) -> &'static str {
    match record.said.as_deref() {
        _ if record.kernel.is_some() => "denied by a rule",
        Some(why) if why.starts_with(Key::Deny.name()) => "denied by khelper.deny",
        Some(why) if why.starts_with(Key::Allow.name()) => "denied by khelper.allow",
        Some(why) if why.starts_with("denied by ") => "denied by a rule",
        _ => "denied by a hook",
    }
}

fn errno(record: &Record) -> String {
    record.errno.map(|e| format!(" ({})", errno_name(e))).unwrap_or_default()
}

/// The limits of capability masks for a helper of uid 0 (capabilities(7); UMH-11). The console, `probe`, `mask`, the
/// manual pages, README.md and the crate's documentation all use this sentence, shortened where there is not enough
/// room.
pub const MASKS_AND_ROOT: &str = "masks alone do not confine root: a helper of uid 0 owns root's files, kernel.modprobe \
     and core_pattern without any capability, and can become all-powerful again in one step; masks bound what it may do \
     directly, and confine it only together with another user, Landlock or a read-only root";

/// The first clauses of [`MASKS_AND_ROOT`] that fit into `columns`; at least one.
pub fn masks_and_root(columns: usize) -> &'static str {
    clauses(MASKS_AND_ROOT, columns)
}

/// The limits of masks for helpers that inherit this uid from the engine's process. If a mask removes a capability and
/// the uid is not 0, `no_new_privs` keeps a helper from gaining any capability by execve(2) (UMH-11).
pub fn masks_and_uid(uid: u32) -> String {
    match uid {
        0 => MASKS_AND_ROOT.to_owned(),
        uid => format!(
            "the engine is not root (uid {uid}): its helpers have no capabilities; a set-user-ID program or one with \
             file capabilities gets them only while the masks remove nothing"
        ),
    }
}

/// The first clauses of a sentence that fit into `columns`; at least one.
pub fn clauses(sentence: &str, columns: usize) -> &str {
    let ends = sentence.match_indices([':', ',', ';']).map(|(at, _)| at).chain([sentence.len()]);
    let end = ends.enumerate().take_while(|(clause, end)| *clause == 0 || *end <= columns).last();
    &sentence[..end.map_or(sentence.len(), |(_, end)| end)]
}

/// A knob's value in a sentence: quoted, or `(empty)`.
pub fn value(text: &str) -> String {
    if text.is_empty() { "(empty)".to_owned() } else { format!("`{text}`") }
}

/// `khelper (4121), asked by sh (4000, guessed)`; empty for an empty chain.
pub fn chain(links: &[ChainLink]) -> String {
    let link = |l: &ChainLink| {
        let of = l.helper_of.map(|id| format!(", helper of request {id}")).unwrap_or_default();
        let guessed = if l.known { "" } else { ", guessed" };
        format!("{} ({}{of}{guessed})", l.comm, l.pid)
    };
    links.iter().map(link).collect::<Vec<_>>().join(" < ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn record(outcome: Outcome, stage: Option<Stage>, errno: Option<Errno>, raw: Option<i32>) -> Record {
        use crate::abi::actor::{Actor, Origin};
        use crate::abi::cap::CapMask;
        use crate::abi::record::Args;
        use crate::abi::wait::WaitMode;
        Record {
            id: 1,
            kind: Kind::Module,
            module: Some(b"dummy"[..].into()),
            path: b"/sbin/mod\x1bprobe"[..].into(),
            args: Args::Module,
            env: Vec::new().into(),
            wait: WaitMode::PROC,
            actor: Actor::new(Origin::Console, 1, 0, 0, b"x").into(),
            asked_by: None,
            wall: std::time::SystemTime::UNIX_EPOCH,
            at: 0,
            state: State::Ended,
            outcome,
            stage,
            errno,
            said: None,
            result: None,
            status: raw.map(WaitStatus::from_raw),
            abandoned: false,
            timed_out: false,
            enforced: None,
            bset: CapMask::EMPTY,
            inheritable: CapMask::EMPTY,
            own: None,
            profile: None,
            caps: None,
            caps_started: None,
            not_enforced: Box::new([]),
            pid: None,
            queued_us: None,
            started_us: None,
            ended_us: Some(12_300),
            cpu_us: 0,
            max_rss_kib: 0,
            output: None,
            chain: Box::default(),
            kernel: None,
        }
    }

    fn every_outcome() -> Vec<(Record, &'static str)> {
        use Outcome::{Abandoned, ExecFailed, Exited, Killed, Lost, Noop, Refused, Running};
        let refused = |stage, errno| record(Refused, Some(stage), Some(errno), None);
        vec![
            (record(Exited, None, None, Some(0)), "✓ exit 0"),
            (record(Exited, None, None, Some(256)), "✗ exit 1 (raw 256)"),
            (record(Killed, None, None, Some(9)), "† killed by SIGKILL (raw 9)"),
            (record(Killed, None, None, Some(0x8b)), "‡ killed by SIGSEGV, core dumped (raw 139)"),
            (
                record(ExecFailed, Some(Stage::Exec), Some(Errno::ENOENT), None),
                "! exec failed (ENOENT): `/sbin/mod\\x1bprobe`",
            ),
            (record(ExecFailed, Some(Stage::Process), Some(Errno::EAGAIN), None), "¡ cannot create a process (EAGAIN)"),
            (refused(Stage::Hook, Errno::EPERM), "⊘ denied by a hook (EPERM)"),
            (refused(Stage::Gate, Errno::EBUSY), "‖ refused by the gate (EBUSY)"),
            (refused(Stage::Limit, Errno::ENOMEM), "∞ refused by the limit (ENOMEM)"),
            (refused(Stage::Throttle, Errno::ETIME), "◷ throttled, no slot in 5 s (ETIME)"),
            (refused(Stage::Name, Errno::EINVAL), "≠ refused, invalid module name (EINVAL)"),
            (refused(Stage::Path, Errno::ENOENT), "/ refused, no path to run (ENOENT)"),
            (refused(Stage::Loop, Errno::ELOOP), "↻ refused, an engine within an engine (ELOOP)"),
            (refused(Stage::Init, Errno::EIO), "⊖ refused by the init hook (EIO)"),
            (refused(Stage::Enforce, Errno::EPERM), "⊠ refused, the masks cannot be enforced (EPERM)"),
            (record(Abandoned, Some(Stage::Cancel), Some(Errno::EINTR), None), "↷ abandoned (EINTR)"),
            (record(Noop, None, None, None), "∅ no-op: the path is empty, autoload is off"),
            (
                record(Lost, Some(Stage::Lost), Some(Errno::ECHILD), None),
                "? lost: how the helper ended is unknown (ECHILD)",
            ),
            (record(Running, None, None, None), "▸ queued, not waited for"),
        ]
    }

    #[test]
    fn every_outcome_has_its_own_words_and_symbol() {
        let mut seen = HashMap::new();
        for (record, words) in every_outcome() {
            let ending = ended_in_words(&record);
            assert_eq!(ending.text(), words);
            assert!(record.errno.is_none_or(|e| words.contains(&format!("({})", errno_name(e)))), "{words}");
            assert_eq!(unicode_width::UnicodeWidthChar::width(ending.symbol), Some(1), "{words}");
            assert_eq!(seen.insert(ending.symbol, words), None, "{words} shares its symbol");
        }
    }

    #[test]
    fn req_12_a_request_of_a_chain_that_is_being_ended_has_its_own_words() {
        let shut = record(Outcome::Refused, Some(Stage::Loop), Some(Errno::ECANCELED), None);
        assert_eq!(ended_in_words(&shut).text(), "↻ refused, its chain is being ended (ECANCELED)");
    }

    #[test]
    fn req_2_a_denial_names_the_list_that_denied() {
        use crate::policy::authorize::{Globs, judge_name};
        let [none, other, this] = ["", "other", "this"].map(|globs| Globs::parse(globs.as_bytes()).unwrap());
        let words = |allow, deny| {
            let why = judge_name(allow, deny, b"this").unwrap_err();
            let said = Some(format!("{why} (EPERM); advice").into());
            ended_in_words(&Record { said, ..record(Outcome::Refused, Some(Stage::Hook), Some(Errno::EPERM), None) })
                .words
        };
        assert_eq!(words(&none, &this), "denied by khelper.deny (EPERM)");
        assert_eq!(words(&other, &none), "denied by khelper.allow (EPERM)");
    }

    #[test]
    fn umh_2_an_empty_path_of_a_call_is_not_autoload() {
        let call =
            Record { kind: Kind::Helper, module: None, path: [].into(), ..record(Outcome::Noop, None, None, None) };
        let words = "∅ no-op: the call's path is empty, it names no program";
        assert_eq!((ended_in_words(&call).text(), title(&call)), (words.to_owned(), "''".to_owned()));
    }

    #[test]
    fn a_timeout_and_an_abandoned_wait_are_shown_too() {
        let mut r = record(Outcome::Killed, None, None, Some(15));
        (r.timed_out, r.abandoned) = (true, true);
        assert_eq!(ended_with_time(&r), "† killed by SIGTERM (raw 15), timed out, caller gone · 12 ms");
    }

    #[test]
    fn umh_11_the_truth_about_masks_is_cut_at_a_clause() {
        let first = "masks alone do not confine root";
        let second = "masks alone do not confine root: a helper of uid 0 owns root's files";
        assert_eq!([0, 31, 67].map(masks_and_root), [first; 3]);
        assert_eq!([68, 100].map(masks_and_root), [second; 2]);
        assert_eq!(masks_and_root(MASKS_AND_ROOT.len()), MASKS_AND_ROOT);
        assert!(MASKS_AND_ROOT.starts_with(masks_and_root(200)) && masks_and_root(200).ends_with("in one step"));
        assert_eq!(masks_and_uid(0), MASKS_AND_ROOT);
        assert_eq!(
            masks_and_uid(7),
            "the engine is not root (uid 7): its helpers have no capabilities; a set-user-ID program or one with file \
             capabilities gets them only while the masks remove nothing"
        );
    }

    #[test]
    fn times_read_as_a_person_reads_them() {
        let of = [999, 12_300, 1_250_000, 125_000_000, 10_920_000_000].map(took);
        assert_eq!(of, ["999 µs", "12 ms", "1.2 s", "2 m 05 s", "3 h 02 m"]);
    }
}
