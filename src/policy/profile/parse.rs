//! The grammar of a profile.

use std::ffi::CString;
use std::sync::Arc;

use crate::abi::cap::CapMask;
use crate::abi::launch_spec::Rlimit;
use crate::abi::mask::MaskExpr;
use crate::abi::profile::{Calls, Ids, Paths, Place, Profile, Sets};
use crate::policy::rules::words::likely;
use crate::policy::rules::{Position, Source};

use super::calls;
use super::error::{Fault, What};
use super::words::{KEYS, LIMITS, NEEDED, limits};

/// The longest profile, in bytes.
const LONGEST: usize = 1 << 16;

/// A user's id, and its group if it has an entry.
pub type Entry = (u32, Option<u32>);

/// Looks up users and groups; a number that is written as one is its own id.
pub struct Names<'a> {
    /// The id of a user, and its group if it has an entry.
    pub user: &'a dyn Fn(&str) -> Option<Entry>,
    /// The id of a group.
    pub group: &'a dyn Fn(&str) -> Option<u32>,
}

/// A word and its column.
type Word<'a> = (u32, &'a str);
/// A fault and its column.
type Wrong = (u32, What);

/// What a file said so far.
#[derive(Default)]
struct Draft {
    profile: Profile,
    user: Option<(u32, String, Entry)>,
    group: Option<(u32, u32)>,
    sets: [Option<CapMask>; 5],
    nnp: Option<bool>,
    calls: [Option<(u32, Vec<u32>)>; 2],
    seen: Vec<String>,
}

/// Reads a profile. `known` is every capability that the kernel knows.
///
/// # Errors
/// Every fault of the file; nothing of it is used then.
pub fn parse(file: &Source, known: CapMask, names: &Names<'_>) -> Result<Profile, Vec<Fault>> {
    let fault = |line, (column, what)| Fault { at: Position { file: file.path.clone(), line }, column, what };
    let stem = file.path.rsplit('/').next().unwrap_or_default();
    let stem = stem.strip_suffix(".profile").unwrap_or(stem);
    if stem.is_empty() || !stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(vec![fault(1, (1, What::Name(stem.to_owned())))]);
    }
    if file.text.len() > LONGEST {
        return Err(vec![fault(1, (1, What::TooLong))]);
    }
    let mut draft = Draft::default();
    let (mut faults, mut last) = (Vec::new(), 1);
    for (number, bytes) in (1..).zip(file.text.split(|b| *b == b'\n')) {
        match line(bytes) {
            Ok(None) => {}
            Ok(Some((key, value))) => {
                last = number;
                if let Err(wrong) = draft.take(key, value, known, names) {
                    faults.push(fault(number, wrong));
                }
            }
            Err(wrong) => faults.push(fault(number, wrong)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    draft.profile.name = stem.into();
    draft.profile.file = Arc::clone(&file.path);
    draft.finish().map_err(|wrong| vec![fault(last, wrong)])
}

/// The key and the value of a line.
fn line(bytes: &[u8]) -> Result<Option<(Word<'_>, Word<'_>)>, Wrong> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| (column(e.valid_up_to()), What::NotText))?;
    if let Some(at) = text.find(|c: char| c.is_control() && c != '\t') {
        return Err((column(at), What::NotText));
    }
    let trimmed = text.trim_matches([' ', '\t']);
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return Ok(None);
    }
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    let Some(equal) = text.find('=') else { return Err((column(start), What::NoValue(trimmed.to_owned()))) };
    let after = &text[equal + 1..];
    let value = after.trim_start_matches([' ', '\t']);
    let at = text.len() - value.len();
    let key = text[start..equal.max(start)].trim_end_matches([' ', '\t']);
    Ok(Some(((column(start), key), (column(at), value.trim_end_matches([' ', '\t'])))))
}

fn column(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// The items of a list and their columns.
fn items((at, value): Word<'_>) -> Vec<Word<'_>> {
    let base = value.as_ptr() as usize;
    let words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    words.map(|word| (at + column(word.as_ptr() as usize - base) - 1, word)).collect()
}

fn yes((at, value): Word<'_>, key: &'static str) -> Result<bool, Wrong> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err((at, What::Value(key, value.to_owned()))),
    }
}

impl Draft {
    fn take(&mut self, (at, key): Word<'_>, value: Word<'_>, known: CapMask, names: &Names<'_>) -> Result<(), Wrong> {
        let limit = key.strip_prefix("rlimit.").map(|name| LIMITS.iter().find(|(limit, _)| *limit == name));
        let Some(key) = KEYS.iter().copied().find(|k| *k == key).or(limit.flatten().map(|_| "rlimit")) else {
            let limits: Vec<String> = LIMITS.iter().map(|(name, _)| format!("rlimit.{name}")).collect();
            let near = likely(key, KEYS.iter().copied().chain(limits.iter().map(String::as_str))).map(str::to_owned);
            return Err((at, What::NoKey(key.to_owned(), near)));
        };
        let name = limit.flatten().map_or(key.to_owned(), |(name, _)| format!("rlimit.{name}"));
        if self.seen.contains(&name) {
            return Err((at, What::Twice(name)));
        }
        self.seen.push(name);
        if value.1.is_empty() {
            return Err((value.0, What::Value(key, String::new())));
        }
        match key {
            "user" | "group" => return self.identity(key, value, names),
            "capabilities" => self.sets[0] = Some(mask(value, known)?),
            "bounding" => self.sets[1] = Some(mask(value, known)?),
            "inheritable" => self.sets[2] = Some(mask(value, known)?),
            "permitted" => self.sets[3] = Some(mask(value, known)?),
            "ambient" => self.sets[4] = Some(mask(value, known)?),
            "no_new_privs" => self.nnp = Some(yes(value, "no_new_privs")?),
            "read_only_root" => self.profile.read_only_root = yes(value, "read_only_root")?,
            "read" => self.paths().read = places(value)?,
            "write" => self.paths().write = places(value)?,
            "execute" => self.paths().execute = places(value)?,
            "allow_calls" => self.calls[0] = Some((value.0, numbers(value, false)?)),
            "deny_calls" => self.calls[1] = Some((value.0, numbers(value, true)?)),
            "cgroup" => {
                let place = place(value)?;
                self.profile.cgroup = Some(String::from_utf8_lossy(place.path.as_bytes()).into_owned().into());
            }
            _ => {
                let resource = limit.flatten().map_or(0, |(_, resource)| *resource);
                let wrong = || (value.0, What::Value("rlimit", value.1.to_owned()));
                let (soft, hard) = limits(value.1).ok_or_else(wrong)?;
                self.profile.rlimits.push(Rlimit { resource, soft, hard });
            }
        }
        Ok(())
    }

    fn paths(&mut self) -> &mut Paths {
        self.profile.paths.get_or_insert_default()
    }

    fn identity(&mut self, key: &str, (at, name): Word<'_>, names: &Names<'_>) -> Result<(), Wrong> {
        // -1 is no id (setresuid(2)).
        if key == "user" {
            let found = (names.user)(name).filter(|(uid, _)| *uid != u32::MAX);
            let (uid, gid) = found.ok_or_else(|| (at, What::NoId("user", name.to_owned())))?;
            self.user = Some((at, name.to_owned(), (uid, gid)));
        } else {
            let found = (names.group)(name).filter(|gid| *gid != u32::MAX);
            self.group = Some((at, found.ok_or_else(|| (at, What::NoId("group", name.to_owned())))?));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Profile, Wrong> {
        self.profile.user = match (self.user.take(), self.group) {
            (None, None) => None,
            (None, Some((at, _))) => return Err((at, What::GroupAlone)),
            (Some((at, name, (uid, gid))), group) => {
                let gid = group.map(|(_, gid)| gid).or(gid).ok_or((at, What::NoGroup(name)))?;
                Some(Ids { uid, gid })
            }
        };
        self.profile.sets = self.sets()?;
        self.profile.calls = match std::mem::take(&mut self.calls) {
            [Some((at, _)), Some(_)] => return Err((at, What::BothCalls)),
            [Some((_, allowed)), None] => Some(Calls::Allowed(allowed)),
            [None, Some((_, denied))] => Some(Calls::Denied(denied)),
            [None, None] => None,
        };
        let needs = [(self.profile.paths.is_some(), "read, write or execute"), (self.profile.calls.is_some(), "calls")];
        let needs = needs.into_iter().find(|(is, _)| *is).map(|(_, what)| what);
        if let (Some(what), Some(false)) = (needs, self.nnp) {
            return Err((1, What::NeedsNoNewPrivs(what)));
        }
        self.profile.no_new_privs = self.nnp.unwrap_or(needs.is_some());
        Ok(self.profile)
    }

    /// `capabilities` is what each set keeps that has no key of its own. What is ambient has to be inheritable.
    fn sets(&self) -> Result<Option<Sets>, Wrong> {
        let [all, bounding, inheritable, permitted, ambient] = self.sets;
        if self.sets.iter().all(Option::is_none) {
            return Ok(None);
        }
        let ambient = ambient.unwrap_or_default();
        let or = |set: Option<CapMask>| set.or(all).unwrap_or(!CapMask::EMPTY);
        let (bounding, permitted) = (or(bounding), or(permitted));
        let excess = ambient.minus(permitted & bounding);
        if !excess.is_empty() {
            let names: Vec<String> = excess.iter().map(|cap| cap.name()).collect();
            return Err((1, What::Ambient(names.join(" "))));
        }
        Ok(Some(Sets { bounding, inheritable: or(inheritable) | ambient, permitted, ambient }))
    }
}

/// Names of capabilities, `empty`, `full`, or another form of a mask (SYS-5).
fn mask((at, value): Word<'_>, known: CapMask) -> Result<CapMask, Wrong> {
    let expression = MaskExpr::parse(value.as_bytes(), known).map_err(|error| (at, What::Capability(error)))?;
    Ok(expression.resolve(known, known))
}

fn place((at, text): Word<'_>) -> Result<Place, Wrong> {
    let (path, may_lack) = text.strip_prefix('-').map_or((text, false), |path| (path, true));
    let wrong = || (at, What::Path(text.to_owned()));
    if !path.starts_with('/') {
        return Err(wrong());
    }
    Ok(Place { path: CString::new(path).map_err(|_| wrong())?, may_lack })
}

fn places(value: Word<'_>) -> Result<Vec<Place>, Wrong> {
    items(value).into_iter().map(place).collect()
}

/// The numbers of calls. One that this architecture lacks has none.
fn numbers(value: Word<'_>, denied: bool) -> Result<Vec<u32>, Wrong> {
    let mut numbers = Vec::new();
    for (at, name) in items(value) {
        if denied && NEEDED.contains(&name) {
            return Err((at, What::Needed(name.to_owned())));
        }
        match calls::number(name) {
            Some(number) => numbers.push(number),
            None if calls::OLDER.contains(&name) => {}
            None => {
                let near = likely(name, calls::names().chain(calls::OLDER.iter().copied()));
                return Err((at, What::NoCall(name.to_owned(), near)));
            }
        }
    }
    if !denied {
        numbers.extend(NEEDED.iter().filter_map(|name| calls::number(name)));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}
