//! A record as a row and as a page: every byte of it that came from outside is escaped here.

use std::sync::Arc;

use crate::abi::actor::ChainLink;
use crate::abi::escape::screen;
use crate::abi::record::{Record, State};
use crate::control::text::outcome::{OutcomeText, Severity, ended_in_words, title};
use crate::sys::local_time::Local;
use crate::tui::model::record_page::{Detail, Row, Tail};

/// Bytes of a stream that a page shows.
const SHOWN: usize = 8 * 1024;

/// How a request stands, or ended.
fn ending(r: &Record) -> OutcomeText {
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

pub(in crate::tui) fn of(r: &Record) -> Row {
    Row {
        id: r.id,
        time: Local::of(r.wall).map_or_else(|| "?".to_owned(), |t| t.time()),
        title: title(r),
        wait: r.wait.name(),
        who: format!("{} ({})", r.actor.comm, r.actor.pid),
        state: r.state,
        ending: ending(r),
        at: r.at,
        took: if r.state == State::Ended { r.took_us() } else { None },
        pid: r.pid,
    }
}

/// A record that was let go while its row was shown.
pub(super) fn gone(id: u64) -> Row {
    Row {
        id,
        time: String::new(),
        title: "(let go to keep the newest 10,000)".to_owned(),
        wait: "",
        who: String::new(),
        state: State::Ended,
        ending: OutcomeText { symbol: '…', words: "let go".to_owned(), mood: Severity::Quiet },
        at: 0,
        took: None,
        pid: None,
    }
}

pub(in crate::tui) fn detail(record: Arc<Record>, chain: Vec<ChainLink>, chain_now: bool) -> Detail {
    let asked = Local::of(record.wall).map_or_else(|| "?".to_owned(), |t| t.to_string());
    let output = match &record.output {
        Some(output) => [tail(&output.stdout), tail(&output.stderr)],
        None => Default::default(),
    };
    Detail { ending: ending(&record), record, asked, chain, chain_now, output }
}

/// The end of a stream, as lines; a newline parts them and is not shown.
fn tail(bytes: &[u8]) -> Tail {
    let before = bytes.len().saturating_sub(SHOWN);
    let shown = &bytes[before..];
    let shown = shown.strip_suffix(b"\n").unwrap_or(shown);
    if shown.is_empty() {
        return Tail::default();
    }
    Tail { lines: shown.split(|b| *b == b'\n').map(screen).collect(), before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_escaped_lines() {
        let of = |bytes: &[u8]| tail(bytes);
        assert_eq!(of(b""), Tail::default());
        assert_eq!(of(b"one\ntwo\x1b[2J\n"), Tail { lines: vec!["one".into(), "two\\x1b[2J".into()], before: 0 });
        let long = of(&[b'x'; SHOWN + 5]);
        assert_eq!((long.before, long.lines[0].len()), (5, SHOWN));
    }
}
