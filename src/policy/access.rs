//! Who may: the built-in security hook (REQ-2) and the right to write a mask (SYS-3).

use std::sync::Arc;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::ParseError;
use crate::abi::escape::screen;
use crate::abi::who::Origin;

/// A list of globs over module names: `*` any run, `?` any byte. Blank-separated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Globs(Arc<str>);

impl Default for Globs {
    fn default() -> Self {
        Self("".into())
    }
}

impl Globs {
    /// Reads a list; `EINVAL` for bytes that are not text and for control characters.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        let bad = |why: &str| {
            ParseError::invalid(
                format!("the list `{}` {why}", screen(text)),
                "give globs separated by blanks, as in `usb-* snd?`",
            )
        };
        let text = std::str::from_utf8(text).map_err(|_| bad("is not UTF-8"))?;
        if text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
            return Err(bad("holds a control character"));
        }
        Ok(Self(text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").into()))
    }
    /// As it reads.
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
    /// The first glob that matches.
    pub fn find(&self, name: &[u8]) -> Option<&str> {
        self.0.split_ascii_whitespace().find(|glob| matches(glob.as_bytes(), name))
    }
}

/// Greedy matching with one point to come back to: linear in practice, never exponential.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    let (mut g, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                g += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    g = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
}

/// `khelper.deny` wins; an empty `khelper.allow` allows all (REQ-2). The error is the reason.
pub fn judge_name(allow: &Globs, deny: &Globs, name: &[u8]) -> Result<(), String> {
    if let Some(glob) = deny.find(name) {
        return Err(format!("khelper.deny has `{}`, which matches `{}`", screen(glob.as_bytes()), screen(name)));
    }
    if allow.0.is_empty() || allow.find(name).is_some() {
        return Ok(());
    }
    Err(format!("khelper.allow is not empty and nothing in it matches `{}`", screen(name)))
}

/// Whether a mask may be written from there (SYS-3). The owner of the engine may; others need CAP_SETPCAP and
/// CAP_SYS_MODULE effective. The error names what is missing.
pub fn may_write_mask(origin: Origin, effective: CapMask) -> Result<(), String> {
    if origin != Origin::Outside {
        return Ok(());
    }
    let missing: Vec<String> = [Capability::SETPCAP, Capability::SYS_MODULE]
        .into_iter()
        .filter(|c| !effective.has(*c))
        .map(Capability::name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("writing a mask needs cap_setpcap and cap_sys_module; the writer lacks {}", missing.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_2_deny_wins_and_empty_allow_allows_all() {
        let g = |t: &str| Globs::parse(t.as_bytes()).unwrap();
        assert!(judge_name(&g(""), &g(""), b"dummy").is_ok());
        assert!(judge_name(&g("d*"), &g("dum?y"), b"dummy").is_err());
        assert!(judge_name(&g("d* usb-*"), &g("x"), b"dummy").is_ok());
        assert!(judge_name(&g("usb-*"), &g(""), b"dummy").is_err());
        assert!(
            matches(b"*a*b*", b"xxaxxbxx")
                && !matches(b"*a*b", b"xxaxxbxx")
                && matches(b"", b"")
                && !matches(b"", b"a")
        );
        assert!(Globs::parse(b"a\x1bb").is_err() && Globs::parse(b"\xff").is_err());
    }

    #[test]
    fn req_2_every_glob_of_a_list_is_looked_at() {
        let g = |t: &str| Globs::parse(t.as_bytes()).unwrap();
        let list = g("snd-* usb? dm-crypt");
        for (name, glob) in [("snd-hda", "snd-*"), ("usb3", "usb?"), ("dm-crypt", "dm-crypt")] {
            assert_eq!(list.find(name.as_bytes()), Some(glob));
            assert!(judge_name(&list, &g(""), name.as_bytes()).is_ok(), "allowed: {name}");
            let why = judge_name(&g(""), &list, name.as_bytes()).unwrap_err();
            assert!(why.contains(glob) && why.contains(name), "{why}");
            assert!(judge_name(&list, &list, name.as_bytes()).is_err(), "deny wins: {name}");
        }
        assert_eq!(list.find(b"usb33"), None);
        assert!(judge_name(&list, &g(""), b"usb33").is_err() && judge_name(&g(""), &list, b"usb33").is_ok());
    }

    #[test]
    fn sys_3_outside_needs_both_capabilities() {
        let both = CapMask::only(Capability::SETPCAP) | CapMask::only(Capability::SYS_MODULE);
        assert!(may_write_mask(Origin::Outside, both).is_ok());
        let why = may_write_mask(Origin::Outside, CapMask::only(Capability::SETPCAP)).unwrap_err();
        assert!(why.ends_with("lacks cap_sys_module"), "{why}");
        assert!(may_write_mask(Origin::Console, CapMask::EMPTY).is_ok());
    }
}
