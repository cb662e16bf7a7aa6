//! Authorization: the built-in security hook (REQ-2), the rights to write and reset a mask (SYS-3, AUTH-3), and the
//! rights of processes outside ([`outside`], AUTH-2).

pub mod outside;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::{CapMask, Capability};
use crate::abi::escape::screen;

pub use crate::abi::glob::Globs;

/// `khelper.deny` wins; an empty `khelper.allow` allows all (REQ-2). The error is the reason.
pub fn judge_name(allow: &Globs, deny: &Globs, name: &[u8]) -> Result<(), String> {
    if let Some(glob) = deny.find(name) {
        return Err(format!("khelper.deny has `{}`, which matches `{}`", screen(glob.as_bytes()), screen(name)));
    }
    if allow.is_empty() || allow.find(name).is_some() {
        return Ok(());
    }
    Err(format!("khelper.allow is not empty and nothing in it matches `{}`", screen(name)))
}

/// Whether this actor may write a mask (SYS-3). The owner of the engine may; others need CAP_SETPCAP and
/// CAP_SYS_MODULE effective. The error names what is missing.
pub fn may_write_mask(actor: &Actor) -> Result<(), String> {
    if actor.origin != Origin::Outside {
        return Ok(());
    }
    mask_capabilities(actor.effective)
}

/// Whether these effective capabilities allow writing a mask (SYS-3).
fn mask_capabilities(effective: CapMask) -> Result<(), String> {
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

/// Whether this actor may reset a mask to full, or the count of runaway messages to 0. Only the engine's own console
/// and the library's caller may; capabilities do not matter (AUTH-3).
pub fn may_reset(actor: &Actor) -> Result<(), String> {
    match actor.origin {
        Origin::Library | Origin::Console => Ok(()),
        Origin::CommandLine | Origin::Outside => Err(format!(
            "only the engine's own console or its library's caller may reset; this command came from {}",
            actor.origin.name()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;

    fn by(origin: Origin, effective: CapMask) -> Actor {
        Actor { effective, ..Actor::new(origin, 1, 0, 0, b"x") }
    }

    #[test]
    fn req_2_deny_wins_and_empty_allow_allows_all() {
        let g = |t: &str| Globs::parse(t.as_bytes()).unwrap();
        assert!(judge_name(&g(""), &g(""), b"dummy").is_ok());
        assert!(judge_name(&g("d*"), &g("dum?y"), b"dummy").is_err());
        assert!(judge_name(&g("d* usb-*"), &g("x"), b"dummy").is_ok());
        assert!(judge_name(&g("usb-*"), &g(""), b"dummy").is_err());
        assert!(judge_name(&g(""), &g("x,*a*m*"), b"xxaxxmxx").is_err());
        assert!(judge_name(&g(""), &g("x *a*m"), b"xxaxxmxx").is_ok());
        // Every glob of a list is tried, and either spelling matches.
        assert!(judge_name(&g(""), &g("x,usb-storage"), b"usb_storage").is_err());
        assert!(judge_name(&g("x,snd_hda_intel"), &g(""), b"snd-hda-intel").is_ok());
    }

    #[test]
    fn auth_3_only_the_console_and_the_library_reset() {
        let may = |origin| may_reset(&by(origin, !CapMask::EMPTY)).is_ok();
        assert!(may(Origin::Library) && may(Origin::Console));
        assert!(!may(Origin::CommandLine) && !may(Origin::Outside));
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
        assert!(may_write_mask(&by(Origin::Outside, both)).is_ok());
        let why = may_write_mask(&by(Origin::Outside, CapMask::only(Capability::SETPCAP))).unwrap_err();
        assert!(why.ends_with("lacks cap_sys_module"), "{why}");
        assert!(may_write_mask(&by(Origin::Console, CapMask::EMPTY)).is_ok());
    }
}
