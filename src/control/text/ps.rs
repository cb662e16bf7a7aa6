//! What runs, as a table; [`super::tree`] has the tree of who asked for what.

use crate::abi::actor::Actor;
use crate::abi::record::{Kind, State};
use crate::abi::snapshot::{ChainEnded, Live};
use crate::abi::time::Micros;

pub use crate::abi::escape::quoted;

/// `0:02.1`, `1:00:31.0`: hours, minutes, seconds and tenths.
pub fn elapsed(us: Micros) -> String {
    let (tenths, seconds) = (us / 100_000 % 10, us / 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let hours = if hours > 0 { format!("{hours}:{minutes:02}") } else { minutes.to_string() };
    format!("{hours}:{seconds:02}.{tenths}")
}

/// The process that made a request: `"bash" pid 900 uid 0 (login 1000)`.
pub fn requester(actor: &Actor) -> String {
    if !actor.is_known() {
        let thread = if actor.pid == 0 { String::new() } else { format!("thread {}, ", actor.pid) };
        return format!("{thread}not known");
    }
    let login = actor.loginuid.filter(|login| *login != actor.uid);
    let login = login.map(|login| format!(" (login {login})")).unwrap_or_default();
    let place = actor.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
    format!("{} pid {} uid {}{login}{place}", quoted(actor.comm.as_bytes()), actor.pid, actor.uid)
}

/// The cells of a row: target, id, pid, elapsed time, what, requester.
pub type Cells = [String; 6];

/// A row for each request that has not ended.
pub fn rows(target: &str, now: Micros, all: &[Live]) -> Vec<Cells> {
    all.iter().map(|live| row(target, now, live)).collect()
}

/// Requests that have not ended, as a table with one line for each, below the names of the columns.
pub fn table(target: &str, now: Micros, all: &[Live]) -> Vec<String> {
    aligned(rows(target, now, all))
}

/// Rows as a table, below the names of the columns.
pub fn aligned(all: Vec<Cells>) -> Vec<String> {
    let mut rows = vec![["TARGET", "ID", "PID", "ELAPSED", "WHAT", "REQUESTER"].map(str::to_owned)];
    rows.extend(all);
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &Cells| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(target: &str, now: Micros, live: &Live) -> Cells {
    let verb = match live.kind {
        Kind::Module => "module",
        Kind::Helper => "run",
    };
    let state = match live.state {
        State::Waiting => ", waits for a slot",
        State::Queued => ", queued",
        State::Running | State::Ended => "",
    };
    let abandoned = if live.abandoned { ", abandoned" } else { "" };
    [
        target.to_owned(),
        format!("#{}", live.id),
        live.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        elapsed(now.saturating_sub(live.at)),
        format!("{verb} {}{state}{abandoned}", quoted(&live.title)),
        requester(&live.actor),
    ]
}

/// The most requests and processes that are named as left.
const NAMED: usize = 20;

/// What was done to end a chain.
pub fn chain_ended(ended: &ChainEnded) -> String {
    let list = |ids: &[u64]| ids.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(", ");
    let mut text = if ended.signalled.is_empty() { "no helper".to_owned() } else { list(&ended.signalled) };
    if ended.processes > 0 {
        let processes = if ended.processes == 1 { "process" } else { "processes" };
        text.push_str(&format!(" and {} other {processes}", ended.processes));
    }
    text.push_str(" signalled");
    let processes = |certain: bool| {
        let of = ended.left_processes.iter().filter(move |left| left.certain == certain);
        of.map(|left| format!("pid {} {}", left.pid, quoted(left.comm.as_bytes()))).collect::<Vec<_>>()
    };
    let mut left: Vec<String> = ended.left.iter().map(|id| format!("#{id}")).collect();
    left.extend(processes(true));
    for (what, left) in [("still running", left), ("not signalled, since it may be unrelated", processes(false))] {
        let more = left.len().saturating_sub(NAMED);
        if !left.is_empty() {
            text.push_str(&format!("; {what}: {}", left[..left.len() - more].join(", ")));
        }
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::actor::{Comm, Origin};
    use crate::abi::snapshot::LeftProcess;
    use crate::control::testing::live;

    #[test]
    fn each_request_has_its_line_and_hostile_names_are_escaped() {
        let by =
            |uid, login| Arc::new(Actor { loginuid: login, ..Actor::new(Origin::Outside, 900, uid, 0, b"ba\x1bsh") });
        let all = [
            Live { pid: Some(4125), actor: by(7, Some(7)), ..live(88, b"fs-\x1b[2J\xff", 10_000_000) },
            Live {
                kind: Kind::Helper,
                pid: None,
                state: State::Queued,
                actor: by(0, Some(1000)),
                ..live(9, b"/bin/a \"b\"", 0)
            },
            Live {
                pid: None,
                state: State::Waiting,
                abandoned: true,
                actor: by(0, None),
                ..live(100, b"x", 12_000_000)
            },
        ];
        let wanted = [
            "TARGET  ID    PID   ELAPSED  WHAT                                     REQUESTER",
            "daemon  #88   4125  0:02.1   module \"fs-\\x1b[2J\\xff\"                  \"ba\\x1bsh\" pid 900 uid 7",
            "daemon  #9    -     0:12.1   run \"/bin/a \\x22b\\x22\", queued           \"ba\\x1bsh\" pid 900 uid 0 (login 1000)",
            "daemon  #100  -     0:00.1   module \"x\", waits for a slot, abandoned  \"ba\\x1bsh\" pid 900 uid 0",
        ];
        assert_eq!(table("daemon", 12_100_000, &all), wanted);
        assert_eq!(table("daemon", 0, &[]), ["TARGET  ID  PID  ELAPSED  WHAT  REQUESTER"]);
    }

    #[test]
    fn req_12_what_outlives_its_chain_is_named() {
        let left = |pid, certain| LeftProcess { pid, comm: Comm::new(b"s\x1bh"), certain };
        let mut ended = ChainEnded { signalled: vec![12, 13], processes: 1, ..ChainEnded::default() };
        assert_eq!(chain_ended(&ended), "#12, #13 and 1 other process signalled");
        assert!(ended.is_whole());
        ended.left_processes = vec![left(70, true), left(71, false), left(72, true)];
        assert!(!ended.is_whole(), "though no request is left");
        let one = "no helper and 2 other processes signalled; still running: #14, pid 70 \"s\\x1bh\", pid 72 \"s\\x1bh\"; \
                   not signalled, since it may be unrelated: pid 71 \"s\\x1bh\"";
        ended = ChainEnded { signalled: vec![], processes: 2, left: vec![14], ..ended };
        assert_eq!((chain_ended(&ended).as_str(), ended.is_whole()), (one, false));
        ended.left_processes = (70..100).map(|pid| left(pid, true)).collect();
        let text = chain_ended(&ended);
        assert!(text.contains("pid 88 ") && !text.contains("pid 89 ") && text.ends_with(" and 11 more"), "{text}");
    }

    #[test]
    fn times_have_hours_only_when_needed() {
        assert_eq!([2_199_999, 3_599_900_000, 3_631_000_000].map(elapsed), ["0:02.1", "59:59.9", "1:00:31.0"]);
    }
}
