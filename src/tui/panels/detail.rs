//! A full record: what was run, with what rights, when, the outcome, the output, the requester.

use ratatui::style::Style;
use ratatui::text::Line;

use crate::abi::actor::Origin;
use crate::abi::argv_text;
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::escape::screen_again;
use crate::abi::kernel_helper::{Fact, KernelHelper};
use crate::abi::launch_spec::Enforcement;
use crate::abi::mask::hex;
use crate::abi::record::{ALLOWED, Kind, Record, State};
use crate::control::text::kernel as words;
use crate::control::text::mask::list;
use crate::control::text::outcome::{self, Severity, chain, took};
use crate::tui::model::Model;
use crate::tui::model::record_row::{Detail, Tail};
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// How many lines of a failure's stderr stand above the rest of its record.
const LAST: usize = 4;
/// How much of each.
const LONG: usize = 160;

/// `#12 module usb-storage`.
pub fn title(detail: &Detail) -> String {
    let r = &detail.record;
    let kind = if r.kind == Kind::Module { "module" } else { "helper" };
    format!("#{} {kind} {}", r.id, outcome::title(r))
}

/// Lines of at most this width.
struct Page<'a> {
    model: &'a Model,
    lines: Vec<Line<'static>>,
    columns: usize,
}

impl Page<'_> {
    /// Adds a name and its text, on as many lines as needed.
    fn say(&mut self, name: &str, words: &str, style: Style) {
        self.put(name, words, style, text::wrap);
    }

    fn put(&mut self, name: &str, words: &str, style: Style, broken: fn(&str, usize) -> Vec<String>) {
        let name = text::pad(name, 9);
        let room = self.columns.saturating_sub(10);
        // Without room for two columns, the text follows the name.
        if room < 16 {
            let all = broken(&format!("{}: {words}", name.trim_end()), self.columns);
            return self.lines.extend(all.into_iter().map(|text| line(text, style)));
        }
        for (at, part) in broken(words, room).into_iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "         " };
            let name = ratatui::text::Span::styled(format!("{name} "), self.model.theme.title);
            self.lines.push(Line::from(vec![name, ratatui::text::Span::styled(part, style)]));
        }
    }
}

/// The parts of a record, the most important first.
pub fn lines(model: &Model, detail: &Detail, columns: usize) -> Vec<Line<'static>> {
    let mut page = Page { model, lines: Vec::new(), columns };
    let (r, theme) = (&*detail.record, &model.theme);
    let ending = &detail.ending;
    let how = match (r.state, r.took_us()) {
        (State::Ended, Some(us)) => format!("{} · {}", ending.text(), took(us)),
        (State::Ended, None) => ending.text(),
        _ => format!("{} · {}", ending.text(), took(model.now.saturating_sub(r.at))),
    };
    page.say(if r.state == State::Ended { "ended" } else { "state" }, &how, theme.mood(ending.mood));
    equal(&mut page, r);
    match (r.ruled(), r.why()) {
        (Some(ruled), _) => {
            let style = if ruled.starts_with(ALLOWED) { theme.text } else { theme.warn };
            page.say("rule", &screen_again(ruled), style);
        }
        (None, Some(why)) => page.say("why", &screen_again(&why), theme.mood(ending.mood)),
        (None, None) => {}
    }
    let said = last_words(&mut page, detail);
    let argv = r.kernel.as_deref().and_then(|kernel| kernel.why_unknown(Fact::Arguments));
    match argv {
        Some(why) => page.say("argv", &format!("not known: {}", why.words()), theme.dim),
        None => page.put("argv", &argv_text::join(r.argv()), theme.text, text::fold),
    }
    if r.argv().first().is_some_and(|first| **first != *r.path) {
        page.say("path", &text::screen(&r.path), theme.text);
    }
    times(&mut page, detail);
    if let Some(kernel) = r.kernel.as_deref() {
        of_kernel(&mut page, r, kernel);
        return page.lines;
    }
    rights(&mut page, r);
    output(&mut page, detail, said);
    let env = r.env.iter().map(|e| text::screen(e)).collect::<Vec<_>>().join(", ");
    page.say("env", if env.is_empty() { "(empty)" } else { &env }, theme.text);
    asked(&mut page, detail);
    page.lines
}

/// How many others are equal, if they share the row under the cursor of Activity.
fn equal(page: &mut Page<'_>, r: &Record) {
    let Some(row) = page.model.activity.row().filter(|row| row.times() > 1 && row.has(r.id)) else { return };
    let ids = row.fold.as_deref().map(|fold| &fold.ids[..]).unwrap_or_default();
    let since = if row.oldest.is_empty() { String::new() } else { format!(", since {}", row.oldest) };
    if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
        let words = format!("{} of #{} to #{}{since}", row.times(), first.first, last.last);
        page.say("equal", &words, page.model.theme.text);
    }
}

/// A helper of this machine's kernel: its sets, who asked, and what is not known.
fn of_kernel(page: &mut Page<'_>, r: &Record, kernel: &KernelHelper) {
    let theme = page.model.theme;
    if let Some(sets) = r.caps.as_deref() {
        page.say("got", &sets_words(sets, page.model.snapshot.known), theme.text);
    }
    page.say("requester", &words::requester(r), theme.text);
    if let Some(cause) = kernel.cause {
        let site = kernel.call_site.map(|site| format!(", call site {site}")).unwrap_or_default();
        let worker = kernel.worker.map(|worker| format!(", by kernel worker {worker}")).unwrap_or_default();
        page.say("cause", &format!("{}{site}{worker}", cause.name().replace('_', " ")), theme.text);
    }
    for missing in kernel.unknown.iter().filter(|missing| missing.what != Fact::Arguments) {
        page.say("unknown", &format!("{}: {}", missing.what.words(), missing.why.words()), theme.dim);
    }
    if !words::doubt(r).is_empty() {
        page.say("doubt", words::doubt(r).trim(), theme.warn);
    }
}

fn times(page: &mut Page<'_>, detail: &Detail) {
    let r = &detail.record;
    let at = |name: &str, us: Option<u64>| us.map(|us| format!("{name} +{}", took(us)));
    // Of a helper of the kernel the request may not be known, but its start or its end.
    let first = if r.kernel.is_some() && r.queued_us.is_none() { "seen" } else { "requested" };
    let mut words = vec![format!("{first} {}", detail.asked)];
    words.extend(at("queued", r.queued_us));
    words.extend(at("started", r.started_us));
    words.extend(at("ended", r.ended_us));
    page.say("times", &words.join(", "), page.model.theme.text);
    let mut words = Vec::new();
    words.extend(r.pid.map(|pid| format!("pid {pid}")));
    if r.status.is_some() && r.kernel.is_none() {
        words.push(format!("CPU {}, max RSS {} KiB", took(r.cpu_us), r.max_rss_kib));
    }
    words.extend(r.result.map(|result| format!("returned {result}")));
    if r.kernel.is_none() || r.module.is_some() {
        words.push(format!("wait {}", r.wait.name()));
    }
    if r.timed_out {
        words.push("timed out".to_owned());
    }
    if r.abandoned {
        words.push("the caller stopped waiting".to_owned());
    }
    page.say("helper", &words.join(", "), page.model.theme.text);
}

/// The masks in force, and the sets that the helper really had.
fn rights(page: &mut Page<'_>, r: &Record) {
    let known = page.model.snapshot.known;
    let theme = page.model.theme;
    let mask = |mask| mask_words(mask, known);
    page.say("bset", &mask(r.bset), theme.text);
    page.say("inherit.", &mask(r.inheritable), theme.text);
    if let Some(own) = r.own.as_deref() {
        page.say("own", &format!("bset {}; inheritable {}", mask(own.bset), mask(own.inheritable)), theme.text);
    }
    if let Some(name) = r.profile.as_deref() {
        page.say("profile", &text::screen(name.as_bytes()), theme.text);
    }
    match r.enforced {
        Some(Enforcement::Refused) => page.say("enforced", "neither way: nothing was started", theme.bad),
        Some(enforced) => {
            let style = if enforced.name() == "masks" { theme.text } else { theme.warn };
            page.say("enforced", &format!("by {}", enforced.name()), style);
        }
        None => page.say("enforced", "nothing was launched", theme.text),
    }
    if let Some(sets) = r.caps_started.as_deref().filter(|sets| Some(*sets) != r.caps.as_deref()) {
        page.say("began", &sets_words(sets, known), theme.text);
    }
    if let Some(sets) = r.caps.as_deref() {
        page.say("got", &sets_words(sets, known), theme.text);
    } else if r.pid.is_some() && r.state == State::Ended {
        page.say("got", "unknown: its /proc status could not be read", theme.warn);
    }
    if !r.not_enforced.is_empty() {
        let names: Vec<&str> = r.not_enforced.iter().map(|n| n.name()).collect();
        page.say("not set", &format!("{} (not permitted on this machine)", names.join(", ")), theme.warn);
    }
}

/// `0x1ff = full (41)`, or the shorter list of names.
fn mask_words(mask: CapMask, known: CapMask) -> String {
    let lacks = known.minus(mask);
    let words = if mask.is_empty() {
        "empty".to_owned()
    } else if lacks.is_empty() {
        format!("full ({})", mask.len())
    } else if lacks.len() <= mask.len() {
        format!("all but {}", list(lacks))
    } else {
        list(mask)
    };
    format!("{words} = {}", hex(mask))
}

fn sets_words(sets: &CapSets, known: CapMask) -> String {
    let one = |name: &str, mask: CapMask| format!("{name} {}", mask_words(mask, known));
    if sets.permitted == sets.effective && sets.inheritable.is_empty() && sets.ambient.is_empty() {
        let both = one("permitted and effective", sets.permitted);
        return format!("{both}; {}; inheritable and ambient empty", one("bounding", sets.bounding));
    }
    [
        one("permitted", sets.permitted),
        one("effective", sets.effective),
        one("inheritable", sets.inheritable),
        one("bounding", sets.bounding),
        one("ambient", sets.ambient),
    ]
    .join("; ")
}

/// Of a failure: what it wrote to stderr last, which on a small screen would be some pages further down. Returns whether
/// that is all of stderr.
fn last_words(page: &mut Page<'_>, detail: &Detail) -> bool {
    let stderr = &detail.output[1];
    let failed = detail.record.state == State::Ended && detail.ending.mood == Severity::Bad;
    if !failed || stderr.lines.is_empty() {
        return false;
    }
    let last = &stderr.lines[stderr.lines.len().saturating_sub(LAST)..];
    for (at, text) in last.iter().enumerate() {
        page.say(if at == 0 { "stderr" } else { "" }, &text::fit(text, LONG), page.model.theme.text);
    }
    let is_all = last.len() == stderr.lines.len() && stderr.before == 0;
    if is_all && last.iter().all(|text| text::width(text) <= LONG) {
        return true;
    }
    page.say("", "(its end; all of it is below)", page.model.theme.dim);
    false
}

/// What it wrote; without stderr if that was said above.
fn output(page: &mut Page<'_>, detail: &Detail, said: bool) {
    let theme = page.model.theme;
    if detail.output.iter().all(|tail| tail.lines.is_empty()) {
        let r = &detail.record;
        let words = match (r.pid, r.wait.name()) {
            (None, _) => "none",
            _ if r.state != State::Ended => "nothing so far",
            (_, "proc") if page.model.snapshot.totals.text_dropped == 0 => "none",
            (_, "proc") => "none is stored: it wrote nothing, or its output was dropped for newer output",
            _ => "not captured: nobody waited for it",
        };
        page.say("output", words, theme.dim);
        return;
    }
    let dropped = detail.record.output.as_ref().map_or(0, |output| output.dropped);
    if dropped > 0 {
        page.say("output", &format!("{dropped} bytes of it were dropped"), theme.warn);
    }
    let streams = ["stdout", "stderr"].into_iter().zip(&detail.output);
    for (name, tail) in streams.take(if said { 1 } else { 2 }) {
        stream(page, name, tail);
    }
}

fn stream(page: &mut Page<'_>, name: &str, tail: &Tail) {
    let theme = page.model.theme;
    if tail.before > 0 {
        page.say(name, &format!("… {} bytes before this (y copies, w saves them)", tail.before), theme.dim);
    }
    for (at, text) in tail.lines.iter().enumerate() {
        page.say(if at == 0 && tail.before == 0 { name } else { "" }, text, theme.text);
    }
}

fn asked(page: &mut Page<'_>, detail: &Detail) {
    let r = &detail.record;
    let how = match r.actor.origin {
        Origin::Outside => "from outside".to_owned(),
        own => format!("by the {}", own.name()),
    };
    let who = format!("{} ({}), uid {}, {how}", r.actor.comm, r.actor.pid, r.actor.uid);
    page.say("requester", &who, page.model.theme.text);
    if let Some(id) = r.asked_by {
        page.say("asked by", &format!("the helper of #{id} (a shows the tree)"), page.model.theme.text);
    }
    if !detail.chain.is_empty() {
        let when = if detail.chain_now { " (as it is now)" } else { "" };
        page.say("chain", &format!("{}{when}", chain(&detail.chain)), page.model.theme.text);
    }
}
