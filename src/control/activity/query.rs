//! Selection and order of records.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::abi::error::Stage;
use crate::abi::escape::{screen, screen_again};
use crate::abi::record::{Args, Record};
use crate::control::text::letters;
use crate::control::text::outcome::ended_in_words;
use crate::policy::authorize::Globs;

use super::outcomes::{Outcomes, Which};

/// The order of rows; rows that are equal in it are ordered by request id, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`name` says in words what each one is")]
pub enum Sort {
    #[default]
    Newest,
    Took,
    Cpu,
    Memory,
    Name,
    Outcome,
}

impl Sort {
    /// All of them, in the order of their key.
    pub const ALL: [Self; 6] = [Self::Newest, Self::Took, Self::Cpu, Self::Memory, Self::Name, Self::Outcome];

    /// Its name on the screen.
    pub const fn name(self, reverse: bool) -> &'static str {
        match (self, reverse) {
            (Self::Newest, false) => "newest first",
            (Self::Newest, true) => "oldest first",
            (Self::Took, false) => "longest first",
            (Self::Took, true) => "shortest first",
            (Self::Cpu, false) => "most CPU first",
            (Self::Cpu, true) => "least CPU first",
            (Self::Memory, false) => "most memory first",
            (Self::Memory, true) => "least memory first",
            (Self::Name, false) => "by name",
            (Self::Name, true) => "by name, reversed",
            (Self::Outcome, false) => "by outcome",
            (Self::Outcome, true) => "by outcome, reversed",
        }
    }

    /// Whether the largest comes first.
    pub const fn falls(self) -> bool {
        !matches!(self, Self::Name | Self::Outcome)
    }
}

/// Selects and orders records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Words that must all occur in the record; lower case.
    pub words: Vec<String>,
    /// A word also occurs where its letters do in their order, within the name or the requester.
    pub scattered: bool,
    /// The module's name must match one of these; if there are none, every request matches, including calls of helpers.
    pub globs: Globs,
    /// How the requests ended.
    pub which: Outcomes,
    /// Made at this time or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// Made before this time.
    pub until: Option<i64>,
    /// The systemd unit of the requester contains this; lower case.
    pub unit: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Reverses the order.
    pub reverse: bool,
}

impl Query {
    /// Whether a record matches.
    pub fn fits(&self, record: &Record) -> bool {
        self.which.fits(Which::of(record)) && self.fits_but_for_outcome(record)
    }

    /// Whether a record matches, however it ended.
    pub fn fits_but_for_outcome(&self, record: &Record) -> bool {
        self.has_time(record)
            && (self.globs.text().is_empty() || record.module.as_deref().is_some_and(|m| self.globs.find(m).is_some()))
            && self.unit.as_ref().is_none_or(|unit| {
                record.actor.unit().is_some_and(|own| screen(own).to_lowercase().contains(unit.as_str()))
            })
            && self.has_words(record, self.scattered)
    }

    fn has_time(&self, record: &Record) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let wall = micros(record.wall);
        self.since.is_none_or(|since| wall >= since) && self.until.is_none_or(|until| wall < until)
    }

    /// Whether all the words occur; `scattered` accepts their letters in their order.
    pub(super) fn has_words(&self, record: &Record, scattered: bool) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let all = searched(record).to_lowercase();
        let mut named = None;
        self.words.iter().all(|word| {
            all.contains(word)
                || scattered && {
                    let named = named.get_or_insert_with(|| named_by(record).map(|text| text.to_lowercase()));
                    named.iter().any(|text| letters::find(word, text, true).is_some())
                }
        })
    }
}

/// Microseconds since 1970, negative before that.
pub fn micros(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// What a row shows of a record that has a name: the module or the path, the requester. Letters are looked for in each
/// alone: in a long text nearly every word has its letters somewhere.
fn named_by(r: &Record) -> [String; 2] {
    [screen(r.title()), r.actor.comm.to_string()]
}

/// The text that is searched for words: id, program and arguments, requester and its unit, wait mode, outcome and the
/// reason for it.
fn searched(r: &Record) -> String {
    let mut all = format!(
        "#{} {} {} {} ({}) {} {} {}",
        r.id,
        screen(r.title()),
        screen(&r.path),
        r.actor.comm,
        r.actor.pid,
        r.actor.origin.name(),
        r.wait.name(),
        ended_in_words(r).words
    );
    if let Args::List(args) = &r.args {
        for arg in args.iter() {
            all.push(' ');
            all.push_str(&screen(arg));
        }
    }
    if let Some(pid) = r.pid {
        all.push_str(&format!(" pid {pid}"));
    }
    if let Some(unit) = r.actor.unit() {
        all.push(' ');
        all.push_str(&screen(unit));
    }
    // The rule that decided is in it. An error of exec has its errno among the words already, and long advice here.
    if let Some(said) = r.said.as_deref().filter(|_| r.stage != Some(Stage::Exec)) {
        all.push(' ');
        all.push_str(&screen_again(said));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::abi::error::Stage;
    use crate::abi::place::{Attribution, Place};
    use crate::control::testing as fixtures;
    use nix::errno::Errno;

    fn of(words: &str) -> Query {
        Query { words: words.split_whitespace().map(str::to_owned).collect(), ..Query::default() }
    }

    #[test]
    fn words_globs_and_outcomes_all_have_to_fit() {
        let r = fixtures::record(7, b"usb-storage", 256);
        let failed = Outcomes::failures();
        let only = |which| [which].into_iter().collect::<Outcomes>();
        let of = |words: &str, globs: &[u8], which| Query { globs: Globs::parse(globs).unwrap(), which, ..of(words) };
        for (words, globs, which, fits) in [
            ("", &b""[..], Outcomes::ALL, true),
            ("#7 exit modprobe", b"", failed, true),
            ("khelper 4121 console proc", b"usb-*", only(Which::Exited), true),
            ("ext4", b"", Outcomes::ALL, false),
            ("", b"ext? snd", Outcomes::ALL, false),
            ("", b"", only(Which::Fine), false),
            ("", b"", [Which::Fine, Which::Exited].into_iter().collect(), true),
            ("", b"", only(Which::Open), false),
        ] {
            assert_eq!(of(words, globs, which).fits(&r), fits, "{words} {globs:?} {which:?}");
        }
        let refused = fixtures::refused(8, b"x\x1b", Stage::Gate, Errno::EBUSY, "why");
        assert!(of("gate x\\x1b", b"", only(Which::Gate)).fits(&refused));
        // A call of a helper has no module's name.
        let mut call = fixtures::record(9, b"x", 0);
        call.module = None;
        assert!(!of("", b"*", Outcomes::ALL).fits(&call));
        call.args = Args::List(vec![b"/bin/sh"[..].into(), b"--frob"[..].into()].into());
        assert!(of("--frob", b"", only(Which::Fine)).fits(&call));
    }

    #[test]
    fn letters_in_their_order_count_in_names_alone_and_when_asked_for() {
        let r = fixtures::record(7, b"nf_conntrack_ftp", 256);
        let scattered = |words: &str| Query { scattered: true, ..of(words) };
        assert!(!of("nfct").fits(&r) && scattered("nfct").fits(&r) && scattered("nfct exit").fits(&r));
        assert!(scattered("khlpr").fits(&r), "the requester");
        // `modprobe` and `exit` have these letters, and are neither the name nor the requester.
        assert!(!scattered("mprb").fits(&r) && !scattered("ext").fits(&r) && !scattered("nfct nowhere").fits(&r));
    }

    #[test]
    fn times_and_units_select() {
        let mut r = fixtures::record(7, b"dummy", 0);
        r.wall = UNIX_EPOCH + Duration::from_secs(1_000);
        let at = |since, until| Query { since, until, ..Query::default() };
        for (since, until, fits) in [
            (Some(1_000_000_000), None, true),
            (Some(1_000_000_001), None, false),
            (None, Some(1_000_000_000), false),
            (None, Some(1_000_000_001), true),
            (Some(0), Some(2_000_000_000), true),
        ] {
            assert_eq!(at(since, until).fits(&r), fits, "{since:?} {until:?}");
        }
        let unit = |unit: &str| Query { unit: Some(unit.to_owned()), ..Query::default() };
        assert!(!unit("sshd").fits(&r), "it has no unit");
        let mut actor = (*r.actor).clone();
        actor.place = Some(Arc::new(Attribution { place: Place::Unit(b"Sshd.service"[..].into()), is_believed: true }));
        r.actor = actor.into();
        assert!(unit("sshd").fits(&r) && !unit("cron").fits(&r) && of("sshd.serv").fits(&r));
    }
}
