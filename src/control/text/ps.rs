//! What runs, as a table; [`super::tree`] has the tree of who asked for what.

use crate::abi::actor::Actor;
use crate::abi::escape::screen;
use crate::abi::record::{Kind, State};
use crate::abi::snapshot::{ChainEnded, Live};
use crate::abi::time::Micros;

/// `"fs-foo"`, escaped.
pub fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", screen(bytes))
}

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
    format!("{} pid {} uid {}{login}", quoted(actor.comm.as_bytes()), actor.pid, actor.uid)
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

/// What was done to end a chain.
pub fn chain_ended(ended: &ChainEnded) -> String {
    let list = |ids: &[u64]| ids.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(", ");
    let mut text = if ended.signalled.is_empty() { "no helper".to_owned() } else { list(&ended.signalled) };
    if ended.processes > 0 {
        text.push_str(&format!(" and {} processes of ended helpers", ended.processes));
    }
    text.push_str(" signalled");
    if !ended.left.is_empty() {
        text.push_str(&format!("; still running: {}", list(&ended.left)));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::actor::Origin;
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
            "daemon  #9    -     0:12.1   run \"/bin/a \"b\"\", queued                 \"ba\\x1bsh\" pid 900 uid 0 (login 1000)",
            "daemon  #100  -     0:00.1   module \"x\", waits for a slot, abandoned  \"ba\\x1bsh\" pid 900 uid 0",
        ];
        assert_eq!(table("daemon", 12_100_000, &all), wanted);
        assert_eq!(table("daemon", 0, &[]), ["TARGET  ID  PID  ELAPSED  WHAT  REQUESTER"]);
    }

    #[test]
    fn times_have_hours_only_when_needed() {
        assert_eq!([2_199_999, 3_599_900_000, 3_631_000_000].map(elapsed), ["0:02.1", "59:59.9", "1:00:31.0"]);
    }
}
