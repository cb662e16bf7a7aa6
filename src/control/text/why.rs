//! One request in sentences: who asked, what was decided, what ran, and how it ended.

use crate::abi::actor::Origin;
use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::counted::counted;
use crate::abi::escape::{screen, screen_again};
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::{Kind, Outcome, Record, State};

use super::kernel;
use super::log::{ended, what};
use super::mask::but;
use super::outcome::{chain, took};
use super::pieces::allowed;
use super::ps::quoted;

/// The sentences about a record. `asked` is when the request was made, `known` are the capabilities that the kernel
/// knows.
pub fn story(record: &Record, asked: &str, known: CapMask) -> Vec<String> {
    if let Some(kernel) = &record.kernel {
        let with = record.caps.as_deref().map(|caps| match but(caps.permitted, known).as_str() {
            "full" => " with all capabilities".to_owned(),
            "empty" => " with no capability".to_owned(),
            some => format!(" with {}", some.replacen("all but", "all capabilities but", 1)),
        });
        let with = [with.unwrap_or_default(), confined(record)].concat();
        let ended = if record.outcome == Outcome::ExecFailed { None } else { ending(record).into_iter().next() };
        return kernel::story(record, kernel, asked, &with, ended);
    }
    let mut lines = vec![format!("{}, {asked}. {}", what(record), asked_by(record))];
    if record.chain.len() > 1 {
        lines.push(format!("The chain of requesters: {}.", chain(&record.chain)));
    }
    if let Some(id) = record.asked_by {
        lines.push(format!("The helper of #{id} asked for it."));
    }
    lines.push(decided(record, known));
    lines.extend(ending(record));
    lines.extend(wrote(record));
    lines
}

/// How the helper stands of which only the start is known.
pub fn still(alive: bool, pid: i32) -> String {
    match alive {
        true => format!("It still runs, pid {pid}."),
        false => format!("How it ended is not in the ledger; pid {pid} does not run any more."),
    }
}

/// Where more is to be found.
pub fn earlier(count: u64, module: bool, title: &[u8]) -> String {
    let log = || format!("; khelper log {}", argv_text::join([format!("--module={}", only(title))]));
    let log = if module { log() } else { String::new() };
    format!("{}{log}", counted(count, "earlier request"))
}

/// A glob that matches this name. Blanks and commas end a glob, and other bytes have no meaning in one: `?` stands for them.
fn only(name: &[u8]) -> String {
    let one = |byte: &u8| match *byte {
        b if b.is_ascii_alphanumeric() || b"_-.:+()%/=@".contains(&b) => char::from(b).to_string(),
        b if b.is_ascii_graphic() && b != b',' => format!("\\{}", char::from(b)),
        _ => "?".to_owned(),
    };
    name.iter().map(one).collect()
}

fn asked_by(record: &Record) -> String {
    let actor = &record.actor;
    let login = actor.loginuid.filter(|login| *login != actor.uid);
    let login = login.map(|login| format!(", login {login}")).unwrap_or_default();
    let comm = quoted(actor.comm.as_bytes());
    let place = actor.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
    let process = format!("by {comm} (pid {}, uid {}{login}{place})", actor.pid, actor.uid);
    match actor.origin {
        Origin::Outside => format!("Asked from outside {process}."),
        own => format!("Asked {process}, {}.", own.name()),
    }
}

fn confined(record: &Record) -> String {
    let profile = record.profile.as_deref();
    profile.map(|name| format!(", confined by profile {}", screen(name.as_bytes()))).unwrap_or_default()
}

fn decided(record: &Record, known: CapMask) -> String {
    match record.outcome {
        Outcome::Refused => {
            let why = record.why().map(|why| format!(": {}", screen_again(&why)));
            return format!("Not run{}.", why.unwrap_or_default());
        }
        Outcome::Noop => return "Nothing was run: the path is empty.".to_owned(),
        _ => {}
    }
    let path = screen(&record.path);
    let allowed = allowed(record).unwrap_or_else(|| "Allowed.".to_owned());
    if record.pid.is_none() {
        return match record.outcome {
            Outcome::ExecFailed => format!("{allowed} {path} could not be run."),
            _ => format!("{allowed} {path} had not been started."),
        };
    }
    let own = record.own.as_deref().map_or(known, |own| own.bset);
    let may = record.caps.as_deref().map_or(record.bset & own & known, |caps| caps.permitted);
    let caps = match but(may, known).as_str() {
        "full" => "all capabilities".to_owned(),
        "empty" => "no capability".to_owned(),
        some => some.replacen("all but", "all capabilities but", 1),
    };
    let caps = match record.caps {
        Some(_) => format!("ran with {caps}"),
        // Its own sets are read when it has ended.
        None => format!("ran; its capabilities were not read, the masks allowed {caps}"),
    };
    let how = match record.enforced {
        Some(Enforcement::NoNewPrivs) => ", enforced by no_new_privs",
        _ => "",
    };
    let profile = confined(record);
    let argv = match record.kind {
        Kind::Module => String::new(),
        Kind::Helper => {
            let args: Vec<String> = record.argv().iter().skip(1).map(|arg| format!(" {}", quoted(arg))).collect();
            args.concat()
        }
    };
    format!("{allowed} {path}{argv} {caps}{how}{profile}.")
}

fn ending(record: &Record) -> Vec<String> {
    if record.state != State::Ended || record.outcome == Outcome::Refused || record.outcome == Outcome::Noop {
        return Vec::new();
    }
    let after = record.took_us().map(|us| format!(" after {}", took(us))).unwrap_or_default();
    let words = ended(record);
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
    let mut lines = vec![format!("{}{after}.", first.chain(letters).collect::<String>())];
    if record.outcome != Outcome::Exited
        && let Some(why) = record.why().filter(|_| record.ruled().is_none())
    {
        let why = screen_again(&why);
        lines.push(format!("The reason: {}.", why.strip_prefix("lost: ").unwrap_or(&why)));
    }
    lines
}

/// The last line of what it wrote to stderr.
fn wrote(record: &Record) -> Option<String> {
    let output = record.output.as_deref()?;
    let last = output.stderr.split(|b| *b == b'\n').rfind(|line| !line.is_empty())?;
    // Nothing stands behind it that its quotes could be taken for.
    Some(format!("The last line on its stderr: \"{}\"", screen(last)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nix::errno::Errno;

    use super::*;
    use crate::abi::actor::{Actor, ChainLink, Comm};
    use crate::abi::cap::CapSets;
    use crate::abi::error::Stage;
    use crate::abi::record::{Args, Output};
    use crate::control::testing::{self, KNOWN, refused};

    fn of(record: &Record) -> Vec<String> {
        story(record, "14:02:11Z", KNOWN)
    }

    fn record(raw: i32) -> Record {
        let actor = Actor { loginuid: Some(1000), ..Actor::new(Origin::Outside, 4121, 0, 0, b"x") };
        Record { actor: actor.into(), ..testing::record(88, b"dccp", raw) }
    }

    #[test]
    fn a_helper_that_ran_is_told_from_the_request_to_the_end() {
        let link = |pid, comm: &[u8]| ChainLink { pid, comm: Comm::new(comm), known: true, helper_of: None };
        let bounding = KNOWN.minus(CapMask::from_bits(1 << 17));
        let record = Record {
            bset: bounding,
            caps: Some(CapSets { permitted: bounding, effective: bounding, bounding, ..CapSets::default() }.into()),
            chain: [link(4121, b"x"), link(1, b"systemd")].into(),
            asked_by: Some(80),
            output: Some(Arc::new(Output { stderr: b"first\nFATAL: \x1b\n\n".to_vec(), ..Output::default() })),
            ..record(256)
        };
        let expected = [
            "#88 module \"dccp\", 14:02:11Z. Asked from outside by \"x\" (pid 4121, uid 0, login 1000).",
            "The chain of requesters: x (4121) < systemd (1).",
            "The helper of #80 asked for it.",
            "Allowed. /sbin/modprobe ran with all capabilities but cap_sys_rawio.",
            "Exit 1 after 12 ms.",
            "The last line on its stderr: \"FATAL: \\x1b\"",
        ];
        assert_eq!(of(&record), expected);
    }

    #[test]
    fn the_rule_that_decided_is_cited() {
        let by = |said: &str| of(&Record { said: Some(said.into()), ..record(9) });
        let lines = by("allowed by /r:3 (allow name a*): asked abc");
        assert!(lines[1].starts_with("Allowed by /r:3 (allow name a*): asked abc. /sbin/modprobe ran"), "{lines:?}");
        assert_eq!(lines[2..], ["Killed by SIGKILL after 12 ms."]);
        let lines = by("would be denied by /r:4 (deny *): asked abc");
        let audit = "Would be denied by /r:4 (deny *): asked abc; the rules were not enforced. /sbin/modprobe ran";
        assert!(lines[1].starts_with(audit), "{lines:?}");
    }

    #[test]
    fn what_did_not_run_says_why() {
        let refused = of(&refused(7, b"a", Stage::Limit, Errno::ENOMEM, "50 are running (ENOMEM); wait"));
        assert_eq!(refused[1..], ["Not run: 50 are running (ENOMEM); wait."]);
        let mut missing = Record { pid: None, caps: None, outcome: Outcome::ExecFailed, status: None, ..record(0) };
        missing.fail(&crate::abi::record::exec_error(Errno::ENOENT, &missing.path, None));
        let lines = of(&missing);
        assert_eq!(lines[1], "Allowed. /sbin/modprobe could not be run.");
        assert!(
            lines[2].starts_with("Exec failed (ENOENT)") && lines[3].contains("check that the file exists"),
            "{lines:?}"
        );
        let noop = Record { outcome: Outcome::Noop, pid: None, ..record(0) };
        assert_eq!(of(&noop)[1..], ["Nothing was run: the path is empty."]);
    }

    #[test]
    fn capabilities_are_those_that_the_helper_had() {
        let with = |caps, bset| of(&Record { caps, bset, ..record(0) })[1].clone();
        assert!(
            with(None, CapMask::EMPTY)
                .ends_with("ran; its capabilities were not read, the masks allowed no capability.")
        );
        assert!(with(None, CapMask::from_bits(1)).ends_with("the masks allowed cap_chown."));
        assert!(with(None, KNOWN).ends_with("the masks allowed all capabilities."));
        assert!(with(Some(Arc::new(CapSets::default())), KNOWN).ends_with("with no capability."), "not root");
        let helper = Record {
            kind: Kind::Helper,
            module: None,
            path: b"/bin/echo"[..].into(),
            args: Args::List([Box::from(&b"/bin/echo"[..]), Box::from(&b"a b"[..])].into()),
            enforced: Some(Enforcement::NoNewPrivs),
            ..record(9)
        };
        let lines = of(&helper);
        assert_eq!(lines[1], "Allowed. /bin/echo \"a b\" ran with all capabilities, enforced by no_new_privs.");
        assert_eq!(lines[2], "Killed by SIGKILL after 12 ms.");
        let confined = Record { profile: Some("keys".into()), enforced: Some(Enforcement::Masks), ..helper };
        let line = "Allowed. /bin/echo \"a b\" ran with all capabilities, confined by profile keys.";
        assert_eq!(of(&confined)[1], line);
        // What the kernel started is the shim, with other sets.
        let by_kernel = Record { caps: None, pid: Some(7), kernel: Some(Box::default()), ..confined };
        assert_eq!(of(&by_kernel)[1], "/bin/echo \"a b\" ran as pid 7, confined by profile keys.");
        assert_eq!(still(true, 7), "It still runs, pid 7.");
        assert!(still(false, 7).contains("does not run any more"));
        assert_eq!(earlier(3, true, b"a"), "3 earlier requests; khelper log --module=a");
        let hostile = earlier(1, true, b"a\"; rm x #'*, \n");
        assert_eq!(hostile, "1 earlier request; khelper log $'--module=a\\\\\"\\\\;?rm?x?\\\\#\\\\\\047\\\\*???'");
        for name in [&b"a b,c"[..], b"*", b"[x]", b"\\", b"-x", b"\xff\n"] {
            let globs = crate::abi::glob::Globs::parse(only(name).as_bytes()).unwrap();
            assert!(globs.find(name).is_some() && globs.find(b"other").is_none(), "{name:?}");
        }
        assert_eq!((&*earlier(3, false, b"a"), &*earlier(1, false, b"a")), ("3 earlier requests", "1 earlier request"));
    }
}
