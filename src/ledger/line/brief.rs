//! Reads of a request that is over only what one line of `log` shows: a query may print hundreds of thousands.

use std::sync::Arc;

use crate::abi::actor::{Actor, Comm, Origin};
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::wait::WaitMode;

use super::fields::{Fields, Items, Malformed, bytes, number, plain, text, value};
use super::placed::Placed;
use super::{Head, Opening, Wall, time, usual};

/// A record that is used for one line after the other. It has the request's id, kind and name, the path, the process that
/// asked, by its command name, its user and group ids and its unit, how the request ended and after which time. Its other fields mean
/// nothing.
pub struct Brief(Record);

impl Default for Brief {
    fn default() -> Self {
        let nobody = Arc::new(Actor::new(Origin::Library, 0, 0, 0, b""));
        let mut record = Record::new(Kind::Module, WaitMode::PROC, nobody, (time(Wall::default()), 0));
        record.state = State::Ended;
        Self(record)
    }
}

impl Brief {
    /// Reads a line. `None` if it is not about a request that is over, or cannot be read.
    pub(crate) fn read(&mut self, head: &Head, line: &[u8]) -> Option<&Record> {
        let seen = self.fill(head, line).ok()?;
        (seen == ALL).then_some(&self.0)
    }

    /// Returns which of the fields that every such line has were there.
    fn fill(&mut self, head: &Head, line: &[u8]) -> Result<u8, Malformed> {
        let r = &mut self.0;
        (r.outcome, r.stage, r.errno, r.said, r.status) = (Outcome::Exited, None, None, None, None);
        (r.abandoned, r.timed_out, r.pid, r.ended_us) = (false, false, None, None);
        let (mut kind, mut module, mut path, mut argv, mut asks, mut status) = (None, None, None, None, None, None);
        let mut seen = 0;
        // A newer version, and another kind of line, begin otherwise.
        let opening = Opening::of(line).ok_or(Malformed)?;
        let mut fields = Fields::after(opening.rest);
        while let Some(field) = fields.next() {
            let (key, raw) = field?;
            match key {
                // What this program does not write, and a helper of the kernel, of which the line shows more.
                b"event" | b"target" | b"kernel" => return Err(Malformed),
                b"id" => (r.id, seen) = (number(raw)?, seen | ID),
                b"module" => module = Some(raw),
                b"kind" => kind = Some(value(raw)?),
                b"argv" => argv = Some(raw),
                b"path" => path = Some(raw),
                b"requester" => asks = Some(raw),
                b"outcome" => r.outcome = plain(raw).and_then(Outcome::parse).ok_or(Malformed)?,
                b"stage" => r.stage = value(raw)?,
                b"errno" => r.errno = Some(nix::errno::Errno::from_raw(number(raw)?)),
                b"reason" => r.said = Some(text(raw)?.into()),
                b"raw" => status = Some(value(raw)?),
                b"abandoned" => r.abandoned = value(raw)?,
                b"timed_out" => r.timed_out = value(raw)?,
                // From the pid to the end nothing more is needed.
                b"pid" => {
                    r.pid = Some(number(raw)?);
                    fields.skip_to(b",\"ended_us\":");
                }
                b"ended_us" => {
                    r.ended_us = Some(number(raw)?);
                    fields.skip_to(b",\"lag\":");
                }
                b"lag" => (_, seen) = (number::<i64>(raw)?, seen | LAG),
                _ => {}
            }
        }
        r.status = status.unwrap_or_else(|| usual::status(r.outcome));
        r.kind = kind.unwrap_or(usual::kind(module.is_some()));
        match module {
            None => r.module = None,
            Some(raw) => set(r.module.get_or_insert_with(|| head.usual.nothing.clone()), raw)?,
        }
        // Of a helper, the path is its first argument.
        let first = argv.filter(|raw| r.kind == Kind::Helper && *raw != b"null").map(Items::of).transpose()?;
        match path.map_or_else(|| first.and_then(|mut list| list.next()).transpose(), |raw| Ok(Some(raw)))? {
            Some(raw) => set(&mut r.path, raw)?,
            None if r.kind == Kind::Module => r.path = head.usual.modprobe.clone(),
            None => r.path = head.usual.nothing.clone(),
        }
        match asks {
            None => self.0.actor = head.actor.clone(),
            Some(raw) => requester(Arc::make_mut(&mut self.0.actor), raw)?,
        }
        Ok(seen)
    }
}

/// The fields that every line of a request that is over has.
const ID: u8 = 1;
const LAG: u8 = 2;
const ALL: u8 = ID | LAG;

/// Sets a byte string. One line after the other often has the same.
fn set(to: &mut Arc<[u8]>, raw: &[u8]) -> Result<(), Malformed> {
    match plain(raw) {
        Some(text) if **to == *text => {}
        Some(text) => *to = text.into(),
        None => *to = bytes(raw)?.into(),
    }
    Ok(())
}

fn requester(actor: &mut Actor, raw: &[u8]) -> Result<(), Malformed> {
    let (mut seen, mut place) = (0, Placed::default());
    let mut gid = None;
    actor.loginuid = None;
    for field in Fields::of(raw)? {
        match field? {
            (b"pid", raw) => (actor.pid, seen) = (number(raw)?, seen | 1),
            (b"uid", raw) => (actor.uid, seen) = (number(raw)?, seen | 2),
            (b"comm", raw) => {
                let name = plain(raw).map(Comm::new).map_or_else(|| bytes(raw).map(|name| Comm::new(&name)), Ok)?;
                (actor.comm, seen) = (name, seen | 4);
            }
            (b"gid", raw) => gid = Some(number(raw)?),
            (b"loginuid", raw) => actor.loginuid = Some(number(raw)?),
            (key, raw) => place.read(key, raw)?,
        }
    }
    actor.place = place.whole();
    actor.gid = gid.unwrap_or(actor.uid);
    if seen == 7 { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::text::log::request;
    use crate::ledger::line::tests::{any_record, head, usual_record};
    use crate::ledger::line::{Item, KeepOutput, decode, encode};

    fn line(record: Record) -> Vec<u8> {
        let item = Item::Ended(Arc::new(record));
        let line = encode(&head(), (head().wall, 7, None), &item, KeepOutput::All);
        line[..line.len() - 1].to_vec()
    }

    fn words(record: &Record) -> String {
        let mut out = String::new();
        request(&mut out, "T", "daemon", record);
        out
    }

    /// The words of a line that was read as a whole.
    fn whole(line: &[u8]) -> Option<String> {
        match decode(Some(&head()), line).ok()?.item {
            Item::Ended(record) => Some(words(&record)),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn the_words_of_a_line_are_those_of_the_whole_line(records in proptest::collection::vec(any_record(), 1..4)) {
            let mut brief = Brief::default();
            for record in records {
                let line = line(record);
                prop_assert_eq!(brief.read(&head(), &line).map(words), whole(&line), "{}", String::from_utf8_lossy(&line));
            }
        }

        #[test]
        fn a_torn_line_is_not_read(record in any_record(), at in any::<prop::sample::Index>()) {
            let line = line(record);
            let torn = &line[..at.index(line.len())];
            prop_assert!(Brief::default().read(&head(), torn).is_none(), "{}", String::from_utf8_lossy(torn));
        }

        #[test]
        fn hostile_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = line(usual_record(&head(), 5, 256));
            let at = at.index(line.len());
            line[at] = byte;
            if let Some(words) = Brief::default().read(&head(), &line).map(words) {
                prop_assert!(whole(&line).is_none_or(|whole| whole == words));
            }
        }
    }

    #[test]
    fn lines_of_other_kinds_are_left_to_the_whole_reader() {
        let running = crate::ledger::line::Running { record: usual_record(&head(), 5, 0).into(), start_time: None };
        for item in [Item::Started(running), Item::Lost { count: 1, errno: None }, Item::End { next_id: 1, open: 0 }] {
            let line = encode(&head(), (head().wall, 7, None), &item, KeepOutput::All);
            assert!(Brief::default().read(&head(), &line[..line.len() - 1]).is_none());
        }
        let newer = String::from_utf8(line(usual_record(&head(), 5, 0))).unwrap().replacen("\"v\":1", "\"v\":3", 1);
        assert!(Brief::default().read(&head(), newer.as_bytes()).is_none());
    }
}
