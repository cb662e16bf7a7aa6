//! The tree of requests, as lines of text (REQ-12).

use crate::abi::error::errno_name;
use crate::abi::record::{Kind, Outcome, State};
use crate::policy::recursion::{Row, named};

use super::outcome::ended_in_words;
use super::ps::quoted;
use crate::control::tree::{Entry, Tree};

/// One line for each request, those below it indented. A request that closes a loop names the loop, the slots that its
/// chain holds, and the command that ends the chain.
pub fn lines(tree: &Tree) -> Vec<String> {
    let mut first = 0;
    // Whether the request of each depth is followed by another one of the same parent.
    let mut followed: Vec<bool> = Vec::new();
    let mut line = |row: Row| {
        let entry = &tree.entries[row.at];
        followed.truncate(row.depth);
        let lead: String = followed.iter().skip(1).map(|more| if *more { "│ " } else { "  " }).collect();
        followed.push(!row.last);
        let branch = match (row.depth, row.last) {
            (0, _) => "",
            (_, true) => "└ ",
            (_, false) => "├ ",
        };
        if row.depth == 0 {
            first = entry.id;
        }
        format!("{lead}{branch}{}{}", request(entry), closed_loop(tree, &row, first))
    };
    tree.rows().into_iter().map(&mut line).collect()
}

/// `#13 request "b"  pid 4133  holds a slot`.
fn request(entry: &Entry) -> String {
    let what = match entry.kind {
        Kind::Module => "request",
        Kind::Helper => "run",
    };
    let mut text = format!("#{} {what} {}  {}", entry.id, quoted(&entry.title), state(entry));
    for (is, words) in [(entry.slot, "  holds a slot"), (entry.abandoned && entry.ended.is_none(), "  abandoned")] {
        text.push_str(if is { words } else { "" });
    }
    if entry.times > 1 {
        text.push_str(&format!("  {} times", entry.times));
    }
    text
}

fn state(entry: &Entry) -> String {
    match (&entry.ended, entry.pid, entry.state) {
        (Some(record), ..) if record.outcome == Outcome::Refused => {
            format!("refused {}", record.errno.map(errno_name).unwrap_or_default())
        }
        (Some(record), ..) => format!("ended, {}", ended_in_words(record).words),
        (None, Some(pid), _) => format!("pid {pid}"),
        (None, None, State::Waiting) => "waits for a slot".to_owned(),
        (None, None, _) => "queued".to_owned(),
    }
}

fn closed_loop(tree: &Tree, row: &Row, first: u64) -> String {
    if row.members.is_empty() {
        return String::new();
    }
    let names = named(row.members.iter().map(|at| &*tree.entries[*at].title));
    let slots = if row.slots == 1 { "1 slot".to_owned() } else { format!("{} slots", row.slots) };
    format!("   loop: {names}, {slots}; `khelper kill --chain '#{first}'`")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nix::errno::Errno;

    use super::*;
    use crate::abi::error::Stage;
    use crate::control::testing;

    fn entry(id: u64, asked_by: Option<u64>, title: &[u8], pid: Option<i32>) -> Entry {
        Entry {
            id,
            asked_by,
            kind: Kind::Module,
            title: title.into(),
            state: if pid.is_some() { State::Running } else { State::Waiting },
            pid,
            slot: pid.is_some(),
            abandoned: false,
            ended: None,
            times: 1,
        }
    }

    #[test]
    fn req_12_the_tree_is_drawn_as_documented() {
        let refused = testing::refused(14, b"a", Stage::Limit, Errno::ENOMEM, "");
        let entries = vec![
            entry(12, None, b"a", Some(4130)),
            entry(13, Some(12), b"b", Some(4133)),
            Entry { ended: Some(Arc::new(refused)), state: State::Ended, ..entry(14, Some(13), b"a", None) },
        ];
        let expected = "#12 request \"a\"  pid 4130  holds a slot\n\
            └ #13 request \"b\"  pid 4133  holds a slot\n\
            \u{20} └ #14 request \"a\"  refused ENOMEM   loop: a → b → a, 2 slots; `khelper kill --chain '#12'`";
        assert_eq!(lines(&Tree { entries }).join("\n"), expected);
    }

    #[test]
    fn req_12_branches_ended_and_hostile_requests_are_drawn() {
        let gone = Arc::new(testing::record(1, b"x", 256));
        let run = Entry { kind: Kind::Helper, slot: false, ..entry(4, Some(2), b"/bin/\x1bx", Some(70)) };
        let entries = vec![
            Entry { ended: Some(gone), slot: false, state: State::Ended, ..entry(1, None, b"x", None) },
            entry(2, Some(1), b"y", Some(60)),
            Entry { times: 3, abandoned: true, ..entry(3, Some(2), b"z", None) },
            run,
            entry(5, Some(1), b"x", Some(71)),
            Entry { state: State::Queued, ..entry(6, None, b"w", None) },
        ];
        let expected = "#1 request \"x\"  ended, exit 1 (raw 256)\n\
            ├ #2 request \"y\"  pid 60  holds a slot\n\
            │ ├ #3 request \"z\"  waits for a slot  abandoned  3 times\n\
            │ └ #4 run \"/bin/\\x1bx\"  pid 70\n\
            └ #5 request \"x\"  pid 71  holds a slot   loop: x → x, 2 slots; `khelper kill --chain '#1'`\n\
            #6 request \"w\"  queued";
        assert_eq!(lines(&Tree { entries }).join("\n"), expected);
    }
}
