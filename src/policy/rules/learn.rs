//! Rules learned from requests: what each kind of requester asked for, under the name that it used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::abi::counted::counted;
use crate::abi::glob::fold;
use crate::abi::place::Place;

use super::condition::Requester;
use super::words::resembled;

/// Beginnings of names that stand for parts of one facility, of which a system that uses three uses others too. Never for
/// ordinary users, and none that opens file systems, protocols or binary formats.
const FAMILIES: [&str; 12] = [
    "nft-expr-",
    "nft-chain-",
    "nft-set-",
    "ipt_",
    "ip6t_",
    "ebt_",
    "xt_",
    "crypto-",
    "nls_",
    "xfrm-",
    "ip_set_",
    "nf-nat-",
];
/// How many members of a family, and how many system requesters of a name, make it general.
const SEVERAL: usize = 3;
/// What was asked for less often is listed apart.
const SELDOM: u64 = 3;
/// Learned from fewer requests, rules deny what a system needs.
const ENOUGH: u64 = 10_000;
/// The requests in which nothing new may be seen.
const LAST: u64 = 1_000;
/// The most pairs of a requester and a name that are kept.
const PAIRS: usize = 100_000;

/// A kind of requester.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The condition that selects it.
    By(String),
    /// An ordinary user.
    User,
    /// It is not known, or its unit has a name that no rule can have.
    Unknown,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// The name as it was first asked for.
    name: Vec<u8>,
    /// How often it was asked for and not denied, or only denied.
    times: u64,
    /// Whether it was denied each time.
    is_denied: bool,
    days: BTreeSet<i64>,
    /// Requests of the system by another user than root.
    others: u64,
}

/// Counts requests.
#[derive(Debug, Default)]
pub struct Learner {
    pairs: BTreeMap<(Vec<u8>, Class), Seen>,
    requests: u64,
    /// When the newest pairs were first seen, as numbers of requests.
    fresh: Vec<u64>,
    /// Requests for names that no rule can have, and those beyond the pairs that are kept.
    left_out: u64,
}

impl Class {
    fn of(by: &Requester<'_>) -> Self {
        let Some(uid) = by.uid else { return Self::Unknown };
        match by.place.filter(|at| at.is_believed).map(|at| &at.place) {
            Some(Place::Container { .. }) => Self::By("container=*".to_owned()),
            Some(Place::Unit(name)) => unit(name).map_or(Self::Unknown, |unit| Self::By(format!("unit={unit}"))),
            _ if uid >= 1000 => Self::User,
            _ => Self::By(format!("uid={uid}")),
        }
    }

    fn condition(&self) -> &str {
        match self {
            Self::By(condition) => condition,
            Self::User => "uid>=1000",
            Self::Unknown => "requester=unknown",
        }
    }
}

/// A unit as a glob: instances of a template are alike. `None` for what is no name of a unit (systemd.unit(5)).
fn unit(name: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(name).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    let text = match (text.split_once('@'), text.rfind('.')) {
        (Some((template, _)), Some(dot)) if dot > template.len() => format!("{}@*{}", template, &text[dot..]),
        _ => text.to_owned(),
    };
    Some(text.replace('\\', "\\\\"))
}

/// A name as a pattern that matches nothing else, but for `-` and `_`, which modprobe takes for each other. `None` for a
/// name with other characters: it comes from outside, and none is written into a file.
pub fn literal(name: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(name).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:+()-".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        return None;
    }
    // A name that looks like an attribute would be refused.
    Some(match resembled(text) {
        Some(_) => format!("[{}]{}", &text[..1], &text[1..]),
        None => text.to_owned(),
    })
}

impl Learner {
    /// Counts a request for a module. `day`: any number that differs from day to day. What was `denied` each time becomes
    /// no rule: what an operator has forbidden, or an attacker asked for, is not allowed because it was asked for.
    pub fn add(&mut self, name: &[u8], by: &Requester<'_>, day: i64, denied: bool) {
        self.requests += 1;
        let folded: Vec<u8> = name.iter().copied().map(fold).collect();
        let key = (folded, Class::of(by));
        if !self.pairs.contains_key(&key) {
            if literal(name).is_none() || self.pairs.len() >= PAIRS {
                self.left_out += 1;
                return;
            }
            self.fresh.push(self.requests);
        }
        let seen = self.pairs.entry(key).or_default();
        if seen.name.is_empty() {
            (seen.name, seen.is_denied) = (name.to_vec(), denied);
        }
        if denied && !seen.is_denied {
            return;
        }
        if !denied && seen.is_denied {
            *seen = Seen { name: name.to_vec(), ..Seen::default() };
        }
        seen.times += 1;
        seen.days.insert(day);
        seen.others += u64::from(by.uid != Some(0));
    }

    /// How many requests were counted.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// How many of the last 1,000 requests were new pairs of a requester and a name.
    pub fn new_of_last(&self) -> u64 {
        let from = self.requests.saturating_sub(LAST);
        self.fresh.iter().rev().take_while(|at| **at > from).count() as u64
    }

    /// Whether the rules can be expected to deny nothing that this system needs.
    pub fn is_ready(&self) -> bool {
        self.requests >= ENOUGH && self.new_of_last() <= 1
    }

    /// The rules, as a file.
    pub fn text(&self) -> String {
        let mut by_name: BTreeMap<&[u8], Vec<(&Class, &Seen)>> = BTreeMap::new();
        for ((name, class), seen) in &self.pairs {
            by_name.entry(name).or_default().push((class, seen));
        }
        let mut sorted = Sorted::default();
        by_name.into_values().for_each(|all| sorted.name(&all));
        sorted.families();
        let mut out = format!(
            "# Learned from {}. {}\n# The first rule that matches decides; `khelper rules test` replays the ledger.\n",
            counted(self.requests, "request"),
            match self.is_ready() {
                true => "Ready: nothing new was asked for lately.".to_owned(),
                false => format!(
                    "Not ready: {} of the last {} were new; {ENOUGH} requests or more are needed.",
                    self.new_of_last(),
                    counted(self.requests.min(LAST), "request")
                ),
            }
        );
        if self.left_out > 0 {
            let left_out = counted(self.left_out, "request");
            let _ = writeln!(out, "# {left_out} had names that are not written into rules.");
        }
        sorted.write(&mut out);
        out.push_str("\n# Whatever else is asked for.\ndeny name *\n");
        out
    }
}

/// A line to be written: its pattern, its condition, how often and on how many days it was seen.
type Row = (String, String, u64, usize);

#[derive(Default)]
struct Sorted {
    often: Vec<Row>,
    seldom: Vec<Row>,
    users: Vec<Row>,
    unknown: Vec<Row>,
    denied: Vec<Row>,
}

impl Sorted {
    /// Adds the rows of one name.
    fn name(&mut self, all: &[(&Class, &Seen)]) {
        // Names with other characters were not kept.
        let Some(pattern) = all.first().and_then(|(_, seen)| literal(&seen.name)) else { return };
        let row =
            |class: &Class, seen: &Seen| (pattern.clone(), class.condition().to_owned(), seen.times, seen.days.len());
        let (denied, all): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(_, seen)| seen.is_denied);
        self.denied.extend(denied.into_iter().map(|(class, seen)| row(class, seen)));
        let is_roots = |class: &Class, seen: &Seen| matches!(class, Class::By(_)) && seen.others == 0;
        let roots: Vec<&Seen> =
            all.iter().filter(|(class, seen)| is_roots(class, seen)).map(|(_, seen)| *seen).collect();
        let general = roots.len() >= SEVERAL;
        if general {
            let days: BTreeSet<i64> = roots.iter().flat_map(|seen| seen.days.iter().copied()).collect();
            let times = roots.iter().map(|seen| seen.times).sum();
            self.often.push((pattern.clone(), "uid=0".to_owned(), times, days.len()));
        }
        let systems = all.iter().any(|(class, _)| matches!(class, Class::By(_)));
        for (class, seen) in all {
            match class {
                Class::Unknown => self.unknown.push(row(class, seen)),
                Class::User if !systems => self.users.push(row(class, seen)),
                _ if general && is_roots(class, seen) => {}
                _ if seen.times < SELDOM => self.seldom.push(row(class, seen)),
                _ => self.often.push(row(class, seen)),
            }
        }
    }

    /// Names of one family that a system requester often asked for become one pattern.
    fn families(&mut self) {
        let family = |row: &Row| {
            let is_users = row.1 == Class::User.condition();
            let begins = |family: &&&str| row.0.len() > family.len() && same(&row.0[..family.len()], family);
            (!is_users).then(|| FAMILIES.iter().find(begins)).flatten().copied()
        };
        let mut counts: BTreeMap<(&str, String), (usize, u64, usize)> = BTreeMap::new();
        for row in &self.often {
            if let Some(family) = family(row) {
                let all = counts.entry((family, row.1.clone())).or_default();
                *all = (all.0 + 1, all.1 + row.2, all.2.max(row.3));
            }
        }
        counts.retain(|_, (members, ..)| *members >= SEVERAL);
        self.often.retain(|row| family(row).is_none_or(|family| !counts.contains_key(&(family, row.1.clone()))));
        for ((family, condition), (_, times, days)) in counts {
            self.often.push((format!("{family}*"), condition, times, days));
        }
    }

    fn write(&self, out: &mut String) {
        let mut section = |title: &str, rows: &[Row], comment: &str| {
            if rows.is_empty() {
                return;
            }
            let mut rows: Vec<&Row> = rows.iter().collect();
            crate::abi::sort::sort_by_key(&mut rows, |row| (row.1.clone(), row.0.clone()));
            let _ = writeln!(out, "\n# {title}");
            for (pattern, condition, times, days) in rows {
                let plural = |n: u64| if n == 1 { "" } else { "s" };
                let (more, most) = (plural(*times), plural(*days as u64));
                let _ = writeln!(
                    out,
                    "{comment}allow name {pattern} {condition}  # {times} time{more}, on {days} day{most}"
                );
            }
        };
        section("What the system asks for.", &self.often, "");
        section("Seen once or twice: look at these.", &self.seldom, "");
        section("Only ordinary users asked for these: take the `#` away from what they may have.", &self.users, "#");
        section("Denied each time they were asked for: take the `#` away from what may be.", &self.denied, "#");
        section("Who asked for these is not known, or no rule can name it.", &self.unknown, "#");
    }
}

fn same(one: &str, other: &str) -> bool {
    one.bytes().map(fold).eq(other.bytes().map(fold))
}
