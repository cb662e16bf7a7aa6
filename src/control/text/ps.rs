//! What runs, as a table and as a tree of who asked for what (REQ-12).

use crate::abi::actor::Actor;
use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::snapshot::{ChainEnded, Live, Snapshot};
use crate::abi::time::Micros;
use crate::policy::recursion::{Node, Row, forest, named};

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
    let login = actor.loginuid.filter(|login| *login != actor.uid);
    let login = login.map(|login| format!(" (login {login})")).unwrap_or_default();
    format!("{} pid {} uid {}{login}", quoted(actor.comm.as_bytes()), actor.pid, actor.uid)
}

/// Requests that have not ended, as a table with one line for each, below the names of the columns.
pub fn table(target: &str, now: Micros, all: &[Live]) -> Vec<String> {
    let mut rows = vec![["TARGET", "ID", "PID", "ELAPSED", "WHAT", "REQUESTER"].map(str::to_owned)];
    rows.extend(all.iter().map(|live| row(target, now, live)));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(target: &str, now: Micros, live: &Live) -> [String; 6] {
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

/// The requests that have not ended, each below the request whose helper asked for it, with the refusals that the
/// snapshot still has of requests whose chain still runs. A loop is named, with its members and the slots that its
/// chain holds.
pub fn tree(s: &Snapshot, all: &[Live]) -> Vec<String> {
    let is_live = |id: u64| all.binary_search_by_key(&id, |live| live.id).is_ok();
    let last = s.last.iter().filter(|record| record.outcome == Outcome::Refused);
    let refused: Vec<&Record> = last.map(|record| &**record).filter(|r| r.asked_by.is_some_and(is_live)).collect();
    let holds = |id: u64| s.slots.holders.contains(&id);
    let node =
        |id, asked_by, kind: Kind| Node { id, asked_by, module: kind == Kind::Module, name: &[], slot: holds(id) };
    let mut nodes: Vec<Node<'_>> =
        all.iter().map(|live| Node { name: &live.title, ..node(live.id, live.asked_by, live.kind) }).collect();
    nodes.extend(refused.iter().map(|r| Node { name: r.title(), ..node(r.id, r.asked_by, r.kind) }));
    let mut states: Vec<String> = all.iter().map(|live| state(live, holds(live.id))).collect();
    states.extend(refused.iter().map(|r| format!("refused {}", r.errno.map(errno_name).unwrap_or_default())));
    let rows = forest(&nodes);
    // The way to the row: the request with which its tree begins, and which rows above it were the last of theirs.
    let (mut top, mut ends) = (0, Vec::new());
    let line = |row: &Row| {
        let node = &nodes[row.at];
        if row.depth == 0 {
            top = node.id;
        }
        ends.truncate(row.depth);
        let rails = ends.iter().skip(1).map(|end| if *end { "  " } else { "│ " });
        let mut line: String = rails.collect();
        if row.depth > 0 {
            line.push_str(if row.last { "└ " } else { "├ " });
        }
        ends.push(row.last);
        let verb = if node.module { "request" } else { "run" };
        let looped = looped(&nodes, row, top);
        format!("{line}#{} {verb} {}  {}{looped}", node.id, quoted(node.name), states[row.at])
    };
    rows.iter().map(line).collect()
}

fn state(live: &Live, holds: bool) -> String {
    let mut state = match (live.state, live.pid) {
        (State::Waiting, _) => "waits for a slot".to_owned(),
        (_, Some(pid)) => format!("pid {pid}"),
        (_, None) => "queued".to_owned(),
    };
    for (is, words) in [(holds, "  holds a slot"), (live.abandoned, "  abandoned")] {
        state.push_str(if is { words } else { "" });
    }
    state
}

/// The loop that led to a request, in words; empty if there is none.
fn looped(nodes: &[Node<'_>], row: &Row, top: u64) -> String {
    if row.members.is_empty() {
        return String::new();
    }
    let names = named(row.members.iter().map(|at| nodes[*at].name));
    let plural = if row.slots == 1 { "" } else { "s" };
    format!("   loop: {names}, {} slot{plural}; `khelper kill --chain '#{top}'`", row.slots)
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

    use nix::errno::Errno;

    use super::*;
    use crate::abi::actor::Origin;
    use crate::abi::error::Stage;
    use crate::control::testing::{live, refused, snapshot};

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

    #[test]
    fn req_12_a_loop_is_named_with_its_members_and_its_slots() {
        let child = |id, title: &[u8], of| Live { asked_by: of, pid: Some(4118 + id as i32), ..live(id, title, 0) };
        let all =
            [child(12, b"a", None), child(13, b"b", Some(12)), child(15, b"/x", Some(12)), child(16, b"lone", Some(3))];
        let all = all.map(|live| if live.id == 15 { Live { kind: Kind::Helper, ..live } } else { live });
        let mut s = snapshot();
        s.slots.holders = vec![12, 13];
        let no = Record { asked_by: Some(13), ..refused(14, b"a", Stage::Limit, Errno::ENOMEM, "why") };
        let gone = Record { asked_by: Some(2), ..refused(5, b"a", Stage::Limit, Errno::ENOMEM, "why") };
        s.last = vec![no.into(), gone.into()];
        let wanted = [
            "#12 request \"a\"  pid 4130  holds a slot",
            "├ #13 request \"b\"  pid 4131  holds a slot",
            "│ └ #14 request \"a\"  refused ENOMEM   loop: a → b → a, 2 slots; `khelper kill --chain '#12'`",
            "└ #15 run \"/x\"  pid 4133",
            "#16 request \"lone\"  pid 4134",
        ];
        assert_eq!(tree(&s, &all), wanted);
    }
}
