//! The probe's report as a table for a person.

use crate::abi::cap::CapMask;
use crate::abi::mask::names;
use crate::control::from_json;
use crate::control::text::outcome::masks_and_uid;
use crate::sys::attributes::Attributes;
use crate::sys::probe::Report;

/// The report that a probe wrote to its stdout.
pub fn read(stdout: &[u8]) -> Option<Report> {
    let tree = from_json::tree(stdout).ok()?;
    let report: Report = from_json::read(&tree).ok()?;
    Some(Report { attributes: from_json::read(&tree).ok()?, ..report })
}

/// The report as lines of a table. Its strings are decoded from JSON escapes and then escaped for the screen.
pub fn table(report: &Report, known: CapMask) -> String {
    let safe = |text: &str| crate::abi::escape::screen(&crate::abi::escape::unescape(text).unwrap_or_default());
    let list = |items: &[String]| items.iter().map(|i| safe(i)).collect::<Vec<_>>().join(" ");
    let set = |mask: CapMask| format!("{:#x}  {}", mask.bits(), names(mask, known));
    let numbers = |items: &[u32]| items.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let caps = &report.caps;
    let mut rows = vec![
        ("bounding", set(caps.bounding)),
        ("permitted", set(caps.permitted)),
        ("effective", set(caps.effective)),
        ("inheritable", set(caps.inheritable)),
        ("ambient", set(caps.ambient)),
        ("no_new_privs", if report.no_new_privs { "yes" } else { "no" }.to_owned()),
        ("argv", list(&report.argv)),
        ("env", list(&report.env)),
        ("cwd, root", format!("{}  {}", safe(&report.cwd), safe(&report.root))),
        ("umask", report.umask.clone()),
        ("uid, gid", format!("{} {}", report.uid.effective, report.gid.effective)),
        ("groups", numbers(&report.groups)),
        ("nice", format!("{}, {}", report.nice, report.scheduler)),
        ("cpus", numbers(&report.affinity)),
        ("oom_score_adj", report.oom_score_adj.to_string()),
        ("session", format!("{}, process group {}, pid {}", report.session, report.pgid, report.pid)),
        ("terminal", if report.terminal { "yes" } else { "none" }.to_owned()),
        ("blocked", list(&report.signals.blocked)),
        ("ignored", list(&report.signals.ignored)),
    ];
    rows.extend(attributes(&report.attributes));
    rows.push(("masks", masks_and_uid(report.uid.effective)));
    rows.extend(report.fds.iter().map(|(fd, target)| ("fd", format!("{fd} {}", safe(target)))));
    rows.iter().map(|(name, value)| format!("{name:<14} {value}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The other inherited attributes; `?` for one that could not be read.
fn attributes(of: &Attributes) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
    let flag = |value: Option<bool>| value.map_or("?", |set| if set { "yes" } else { "no" }).to_owned();
    let keyring = of.session_keyring.as_ref().map(|keyring| {
        let name = crate::abi::escape::unescape(&keyring.name).unwrap_or_default();
        format!("{} {}", keyring.id, crate::abi::escape::screen(&name))
    });
    vec![
        ("keyring", text(&keyring)),
        ("io priority", text(&of.io_priority)),
        ("timer slack", of.timer_slack_ns.map_or_else(|| "?".to_owned(), |ns| format!("{ns} ns"))),
        ("numa policy", text(&of.numa_policy)),
        ("personality", text(&of.personality)),
        ("securebits", text(&of.securebits)),
        ("core filter", text(&of.core_filter)),
        ("thp disabled", flag(of.thp_disable)),
        ("pages merged", flag(of.memory_merge)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_whole() {
        let mut report = Report::gather().unwrap();
        // Kernels differ in the others.
        report.attributes.timer_slack_ns = Some(50_017);
        assert_eq!(read(&serde_json::to_vec(&report).unwrap()), Some(report));
        assert_eq!(read(b"{}"), None);
    }
}
