//! Where a knob's value comes from, and how it differs from what is configured, in words.

use crate::abi::cap::CapMask;
use crate::abi::knob_value::{Change, KnobValue, Source};
use crate::control::provenance::{Drift, Where};
use crate::sys::local_time::Local;

use super::mask::list;

/// `default`, `/etc/khelper.d/10.conf:3`, `set 2026-11-26 03:09:48+01:00 by uid 0 "khelper" pid 900`.
pub fn came_from(from: &Where) -> String {
    match from {
        Where::Default => "default".to_owned(),
        Where::Unknown => "not known: changed since boot, or built into the kernel".to_owned(),
        Where::File { source, others } if others.is_empty() => source.to_string(),
        Where::File { source, others } => {
            let others: Vec<String> = others.iter().map(Source::to_string).collect();
            format!("{source}; over {}", others.join(", "))
        }
        Where::Actor { actor, at } => {
            let at = Local::of(*at).map_or_else(String::new, |local| format!(" {}", local.with_offset()));
            let login = match actor.loginuid {
                Some(login) if login != actor.uid => format!(" (login {login})"),
                _ => String::new(),
            };
            format!("set{at} by uid {}{login} \"{}\" pid {}", actor.uid, actor.comm, actor.pid)
        }
    }
}

/// `full`, `empty`, `all but cap_sys_rawio`, `cap_chown, cap_kill`.
pub fn mask(mask: CapMask, known: CapMask) -> String {
    let without = known.minus(mask);
    match (mask.is_empty(), without.is_empty()) {
        (true, _) => "empty".to_owned(),
        (_, true) => "full".to_owned(),
        _ if without.len() < mask.len() => format!("all but {}", list(without)),
        _ => list(mask),
    }
}

/// A mask in words; any other value in quotes.
fn shown(value: &KnobValue, known: CapMask) -> String {
    value.mask().map_or_else(|| format!("\"{value}\""), |value| mask(value, known))
}

/// `kernel.modprobe  running ""  configured "/sbin/modprobe" (/etc/khelper.d/10.conf:3)`.
pub fn drift(drift: &Drift, known: CapMask) -> String {
    let source = drift.source.as_ref().map_or_else(|| "default".to_owned(), Source::to_string);
    let (running, configured) = (shown(&drift.running, known), shown(&drift.configured, known));
    format!("{}  running {running}  configured {configured} ({source})", drift.key)
}

/// How long the new value of a mask lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Nothing was written.
    DryRun,
    /// Until the daemon starts again.
    UntilRestart,
    /// What was lost stays lost until the machine starts again.
    UntilReboot,
    /// It was kept, or its engine ends with this process.
    Always,
}

/// `daemon kernel.usermodehelper.bset: full → all but cap_sys_rawio (read back).` `None` if the knob is not a mask.
pub fn narrowed(target: &str, change: &Change, known: CapMask, lasts: Lasts) -> Option<String> {
    let (before, after) = change.masks()?;
    let read = if lasts == Lasts::DryRun { "a dry run: nothing was written" } else { "read back" };
    let kept = match (&change.source, lasts) {
        (Some(source), _) => format!(" Kept in {source}."),
        (None, Lasts::UntilReboot) if before == after => " Nothing was written.".to_owned(),
        (None, Lasts::UntilReboot) => {
            " What it lost is lost until the machine starts again; then it is full.".to_owned()
        }
        (None, Lasts::UntilRestart) => " Lost at the next restart; --persist keeps it.".to_owned(),
        (None, _) => String::new(),
    };
    Some(format!("{target} {}: {} → {} ({read}).{kept}", change.key, mask(before, known), mask(after, known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Actor, Origin};
    use crate::abi::knob::Key;
    use std::time::{Duration, UNIX_EPOCH};

    const KNOWN: CapMask = CapMask::up_to(40);

    fn source(line: u32) -> Source {
        Source { file: "/etc/khelper.d/10.conf".into(), line }
    }

    #[test]
    fn auth_5_the_line_or_the_actor_is_named() {
        let file = |others| came_from(&Where::File { source: source(3), others });
        assert_eq!(file(vec![]), "/etc/khelper.d/10.conf:3");
        assert_eq!(
            file(vec![source(1), source(2)]),
            "/etc/khelper.d/10.conf:3; over /etc/khelper.d/10.conf:1, /etc/khelper.d/10.conf:2"
        );
        let mut actor = Actor::new(Origin::Outside, 900, 0, 0, b"k\x1b");
        actor.loginuid = Some(1000);
        let said =
            came_from(&Where::Actor { actor: actor.into(), at: UNIX_EPOCH + Duration::from_secs(1_700_000_000) });
        assert!(said.starts_with("set 2023-11-1"), "{said}");
        assert!(said.ends_with(" by uid 0 (login 1000) \"k\\x1b\" pid 900"), "{said}");
    }

    #[test]
    fn drift_and_masks_are_shown_as_in_the_manual() {
        let value = |text: &str| KnobValue::Path(text.as_bytes().into());
        let path = Drift {
            key: Key::Modprobe,
            running: value(""),
            configured: value("/sbin/modprobe"),
            source: Some(source(3)),
        };
        let line = "kernel.modprobe  running \"\"  configured \"/sbin/modprobe\" (/etc/khelper.d/10.conf:3)";
        assert_eq!(drift(&path, KNOWN), line);
        let rawio = KNOWN.minus(CapMask::from_bits(1 << 17));
        let masks = Drift { key: Key::Bset, running: rawio.into(), configured: KNOWN.into(), source: None };
        assert_eq!(
            drift(&masks, KNOWN),
            "kernel.usermodehelper.bset  running all but cap_sys_rawio  configured full (default)"
        );
        assert_eq!(
            (mask(CapMask::EMPTY, KNOWN), mask(CapMask::from_bits(1), KNOWN)),
            ("empty".into(), "cap_chown".into())
        );
        let change = Change::new(Key::Bset, KNOWN, rawio);
        let said = |change: &Change, lasts| narrowed("daemon", change, KNOWN, lasts).unwrap();
        let start = "daemon kernel.usermodehelper.bset: full → all but cap_sys_rawio";
        assert_eq!(
            said(&change, Lasts::UntilRestart),
            format!("{start} (read back). Lost at the next restart; --persist keeps it.")
        );
        assert_eq!(said(&change, Lasts::Always), format!("{start} (read back)."));
        assert_eq!(said(&change, Lasts::DryRun), format!("{start} (a dry run: nothing was written)."));
        let kept = Change { source: Some(source(7)), ..change };
        assert_eq!(said(&kept, Lasts::UntilRestart), format!("{start} (read back). Kept in /etc/khelper.d/10.conf:7."));
        assert_eq!(narrowed("x", &Change::new(Key::Modprobe, value("/a"), value("/b")), KNOWN, Lasts::Always), None);
    }
}
