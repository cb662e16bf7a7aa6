//! `khelper why`: one request in sentences, from the ledger.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;

use crate::abi::escape::screen;
use crate::abi::record::Kind;
use crate::control::ledger_view::{Recorded, Told, What, Which, WhyRequest};
use crate::control::record_json::V;
use crate::control::target::Target;
use crate::control::text::log::Times;
use crate::control::{Command, Reply, text};
use crate::ledger::line::time;
use crate::ledger::{recorded, view};

use super::Caller;
use super::log::{open, passed_over};
use super::output::{Answers, say};
use super::printer;
use super::request::fail;

/// `why`.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// The folder of the ledger; the same default as for `log`
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Print times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// A module or a program, the number of a request as '#ID', or the process of a helper or a requester as pid:PID
    #[arg(value_name = "NAME|#ID|pid:PID", value_parser = parser())]
    pub what: Which,
}

/// Reads which request is meant.
fn parse(text: &[u8]) -> Result<Which, &'static str> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok().filter(|n: &u64| *n > 0);
    if let Some(digits) = text.strip_prefix(b"#") {
        return number(digits).map(Which::Id).ok_or("give the number of a request, as in '#12'");
    }
    if let Some(digits) = text.strip_prefix(b"pid:") {
        let pid = number(digits).and_then(|pid| i32::try_from(pid).ok());
        return pid.map(Which::Pid).ok_or("give the number of a process, as in pid:4121");
    }
    if text.is_empty() { Err("give a module, a program, '#ID' or pid:PID") } else { Ok(Which::Name(text.to_vec())) }
}

/// A name is any bytes.
fn parser() -> impl clap::builder::TypedValueParser<Value = Which> {
    use clap::builder::TypedValueParser;
    clap::builder::OsStringValueParser::new().try_map(|text| parse(text.as_bytes()))
}

fn named(which: &Which) -> String {
    match which {
        Which::Name(name) => format!("`{}`", screen(name)),
        Which::Id(id) => format!("#{id}"),
        Which::Pid(pid) => format!("pid {pid}"),
    }
}

/// Prints the story of a request, by the files of the ledger. Returns the exit code: 1 if nothing is known.
/// `target`: of this target alone.
pub fn why(args: &Why, target: Option<&str>) -> u8 {
    match open(args.ledger.as_deref()) {
        Ok(reader) => tell(args, &view::why(&reader, &args.what, target)),
        Err(code) => code,
    }
}

/// Prints what a daemon knows about a request. Returns the exit code: 1 if nothing is known.
pub fn ask(target: &Arc<dyn Target>, args: &Why) -> u8 {
    match Caller::of_daemon(target.clone()).ask(Command::Why(WhyRequest { which: args.what.clone(), of: None })) {
        Ok(Reply::Why(told)) => tell(args, &told),
        // The reply to `Why` is always what is known.
        Ok(_) => 1,
        Err(error) => fail(&error).code(),
    }
}

fn tell(args: &Why, told: &Told) -> u8 {
    passed_over(told.newer, told.unreadable);
    let Some((line, record)) = told.line.as_ref().and_then(|line| Some((line, line.record()?))) else {
        say(&format!("nothing is known about {}: see `khelper log`", named(&args.what)));
        return 1;
    };
    let mut times = Times::new(SystemTime::now(), args.utc);
    let answers = Answers::default();
    let story = text::why::story(record, times.text(record.wall), line.known);
    if args.json {
        answers.line(&object(told, line, &story));
        return answers.code(0);
    }
    story.iter().for_each(|line| answers.line(line));
    if let (Some(alive), Some(pid)) = (told.alive, record.pid) {
        answers.line(&text::why::still(alive, pid));
    }
    for act in &told.acts {
        if let What::Changed(event) = &act.what {
            let words = text::log::change(times.text(time(act.at)), &act.target, &event.kind, line.known);
            words.iter().for_each(|line| answers.line(line));
        }
    }
    if told.earlier > 0 {
        say(&text::why::earlier(told.earlier, record.kind == Kind::Module, record.title()));
    }
    answers.code(0)
}

/// The sentences and the record, what operators did to the request, and how many earlier ones fit.
fn object(told: &Told, line: &Recorded, story: &[String]) -> String {
    let object = |line: &Recorded| printer::object(&recorded::line(line.clone()));
    let acts: Vec<String> = told.acts.iter().filter_map(object).collect();
    format!(
        r#"{{"v":{V},"story":{},"record":{},"alive":{},"acts":[{}],"earlier":{}}}"#,
        json!(story),
        object(line).unwrap_or_default(),
        json!(told.alive),
        acts.join(","),
        told.earlier
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_in_three_ways() {
        assert_eq!(parse(b"dccp"), Ok(Which::Name(b"dccp".to_vec())));
        assert_eq!(parse(b"/bin/\xff"), Ok(Which::Name(b"/bin/\xff".to_vec())));
        assert_eq!(parse(b"#12"), Ok(Which::Id(12)));
        assert_eq!(parse(b"pid:4121"), Ok(Which::Pid(4121)));
        for wrong in [&b""[..], b"#", b"#x", b"#-1", b"#0", b"pid:", b"pid:0", b"pid:99999999999", b"pid:x"] {
            assert!(parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        assert_eq!(named(&Which::Name(b"a\x1b".to_vec())), "`a\\x1b`");
    }
}
