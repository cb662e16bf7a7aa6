//! A rehearsal: the program first, then what the comparison tells, then both runs side by side.

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::escape::screen_again;
use crate::abi::record::Record;
use crate::control::Reply;
use crate::control::rehearsal::{Rehearsal, Rehearsed, Run};
use crate::control::text::mask::{brief, shortest};
use crate::control::text::outcome::{Severity, ended_in_words, masks_and_root, took};
use crate::control::text::rehearsal::{Conclusion, conclusion};
use crate::control::text::target::object;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::masks::{KNOBS, live, short};
use crate::tui::model::rehearse::Last;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::{Effect, Ticket};
use crate::tui::panels::runs;
use crate::tui::widgets::beside::Beside;
use crate::tui::widgets::sheet::Sheet;

/// The page that shows a rehearsal.
#[derive(Debug)]
pub struct RehearsalPage {
    /// Both runs.
    pub rehearsal: Rehearsal,
    /// When it was started, by the wall clock.
    clock: String,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// With fewer columns than this, one run is shown below the other.
const BESIDE: usize = 60;

/// Starts the run under the draft masks, and opens the page that shows it and the run under the live masks.
pub(super) fn open(model: &mut Model, run: Run, draft: [CapMask; 2]) -> Vec<Effect> {
    // The kernel runs nothing for us: its target runs both in an engine of its own.
    let command = if model.link.is_real() { run.whole(draft) } else { run.command(Some(draft)) };
    let effect = model.submit(Pending::Rehearsal, command);
    let rehearsal = Rehearsal::started(run, draft, model.last_ticket());
    let clock = model.clock(model.now);
    model.open(RehearsalPage { rehearsal, clock, scroll: 0 });
    vec![effect]
}

/// Closes the page if it is on top: another dialog takes its place.
pub(super) fn leave(model: &mut Model) {
    if model.top::<RehearsalPage>().is_some() {
        model.act_on_top(|page, model| page.dismiss(model));
    }
}

/// Stores the answer to a run and submits the next run, unless the page was closed.
pub fn answered(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let answered = |page: &mut RehearsalPage, model: &mut Model| {
        let command = page.rehearsal.answered(ticket, reply, model.last_ticket() + 1);
        if let [Some(draft), Some(under_live)] = page.records() {
            let ended = [draft, under_live].map(|record| ended_in_words(record).text());
            let masks = [page.rehearsal.draft, KNOBS.map(|knob| live(&model.snapshot, knob))];
            let (clock, title) = (page.clock.clone(), page.rehearsal.run.title());
            model.rehearse.last = Some(Last { clock, title, masks, ended });
        }
        Some(model.submit(Pending::Rehearsal, command?))
    };
    let next = model.with_dialog(|page: &RehearsalPage| page.awaits(ticket), answered);
    next.flatten().into_iter().collect()
}

impl RehearsalPage {
    fn records(&self) -> [Option<&Record>; 2] {
        [&self.rehearsal.runs[0], &self.rehearsal.runs[1]].map(Rehearsed::record)
    }

    fn is_over(&self) -> bool {
        !self.rehearsal.runs.iter().any(|run| matches!(run, Rehearsed::Waiting | Rehearsed::Running(_)))
    }

    fn conclusion(&self, model: &Model) -> Option<Conclusion> {
        let [Some(draft), Some(under_live)] = self.records() else { return None };
        let as_live = self.rehearsal.draft == KNOBS.map(|knob| live(&model.snapshot, knob));
        Some(conclusion(self.rehearsal.run.program(), draft, under_live, as_live))
    }

    /// The program, where it runs, and what the comparison tells.
    fn head(&self, model: &Model, sheet: &mut Sheet) {
        let theme = &model.theme;
        let run = &self.rehearsal.run;
        let what = match run {
            Run::Probe => format!("{}: it only reports what a helper gets", run.title()),
            Run::Call(..) => run.title(),
        };
        sheet.labelled("program", &what, theme.title);
        if model.rows >= 16 {
            sheet.labelled("runs on", &place(model), theme.text);
        }
        let Some(told) = self.conclusion(model) else {
            for knob in KNOBS {
                let (live, draft) = (live(&model.snapshot, knob), self.rehearsal.draft[knob as usize]);
                if live != draft {
                    sheet.labelled("draft", &format!("{} {}", short(knob), brief(live, draft)), theme.draft);
                }
            }
            for (name, run) in ["under draft", "under live"].into_iter().zip(&self.rehearsal.runs) {
                state(model, sheet, name, run);
            }
            return;
        };
        sheet.say(&format!(" {} {}", told.sign, told.words), theme.mood(told.mood));
    }

    /// What the runs differ in, side by side.
    fn runs(&self, model: &Model, sheet: &mut Sheet, facts: &[runs::Fact]) {
        let theme = &model.theme;
        if sheet.columns < BESIDE {
            for fact in facts {
                let values = format!("draft {} | live {}", fact.values[0].0, fact.values[1].0);
                sheet.say(&format!(" ≠ {}: {values}", fact.name), theme.draft);
            }
            return;
        }
        let beside = Beside::new(theme, sheet.columns);
        let masks = [self.rehearsal.draft, KNOBS.map(|knob| live(&model.snapshot, knob))];
        let known = model.snapshot.known;
        let title = |name: &str, at: usize| {
            let other = masks[0][1] != masks[1][1];
            let bset = format!("{} {}", short(KNOBS[0]), shortest(masks[at][0], known));
            let inheritable = format!("  {} {}", short(KNOBS[1]), shortest(masks[at][1], known));
            format!("{name}  {bset}{}", if other { &inheritable } else { "" })
        };
        let numbers = self.records().map(|record| record.map_or(String::new(), |record| format!("#{}", record.id)));
        let titles = [title("Draft", 0), title("Live", 1)];
        sheet.lines.push(beside.rules([&titles[0], &titles[1]], [&numbers[0], &numbers[1]], '┬'));
        for fact in facts {
            let [draft, live] = &fact.values;
            sheet.lines.extend(beside.values(&format!("≠ {}", fact.name), [(&draft.0, draft.1), (&live.0, live.1)]));
        }
    }

    /// What both runs wrote, side by side where it differs.
    fn output(&self, model: &Model, sheet: &mut Sheet) {
        let theme = &model.theme;
        let most = if model.rows >= 30 { 12 } else { 6 };
        for stream in runs::STREAMS {
            let [draft, live] = self.records().map(|record| runs::written(record, stream, most));
            if draft.is_empty() && live.is_empty() {
                continue;
            }
            let none = |lines: Vec<String>| if lines.is_empty() { vec!["none".to_owned()] } else { lines };
            if draft == live {
                sheet.rule(&format!("{stream}, the same in both"), "");
                draft.iter().for_each(|row| sheet.say_whole(&format!(" {row}"), theme.text));
            } else if sheet.columns < BESIDE {
                for (name, lines) in [("draft", none(draft)), ("live", none(live))] {
                    sheet.rule(&format!("{stream}, {name}"), "");
                    lines.iter().for_each(|row| sheet.say_whole(&format!(" {row}"), theme.text));
                }
            } else {
                let beside = Beside::new(theme, sheet.columns);
                let titles = [format!("{stream} under the draft"), format!("{stream} live")];
                sheet.lines.push(beside.rules([&titles[0], &titles[1]], ["", ""], '┼'));
                sheet.lines.extend(beside.texts([none(draft), none(live)], theme.text));
            }
        }
    }

    /// What follows from it, and what to run instead of a comparison that proves little.
    fn tells(&self, model: &Model, sheet: &mut Sheet, told: &Conclusion) {
        sheet.rule("What this tells", "");
        for cap in told.missing.iter().take(runs::BREAKS) {
            let without = cap.info().map_or("not known to this program", |info| info.without);
            sheet.labelled(&cap.name(), &format!("without it: {without}"), model.theme.text);
        }
        let more = told.missing.len();
        if more > runs::BREAKS {
            sheet.say(&format!(" and {} more, which the bounding set lacks", more - runs::BREAKS), model.theme.dim);
        }
        if let Some(instead) = told.instead {
            let key = model.keys.key_in(Context::Rehearsal, Action::Rehearse);
            sheet.labelled("run instead", &format!("{instead} ({key} chooses the program)"), model.theme.warn);
        }
        if model.link.is_real() {
            let words = "the kernel's own helpers also have its environment, its root folder and its namespaces";
            sheet.labelled("not shown", words, model.theme.text);
        }
        if model.snapshot.uid == 0 {
            sheet.say(&format!(" ! {}", masks_and_root(sheet.columns.saturating_sub(4))), model.theme.warn);
        }
    }
}

/// Where the program runs.
fn place(model: &Model) -> String {
    if model.link.is_real() {
        "an engine of this khelper, under the kernel's masks and the draft: the kernel itself runs nothing".to_owned()
    } else {
        object(&model.link.info)
    }
}

impl Dialog for RehearsalPage {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Rehearsal, Context::Page, Context::Anywhere]
    }

    fn fills(&self) -> bool {
        true
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        // What does not fit above is said below the conclusion.
        let title = match columns < BESIDE {
            true => "Rehearsal".to_owned(),
            false => format!("Rehearsal {}: nothing is applied", self.clock),
        };
        let mut sheet = Sheet::new(title, &model.theme, columns);
        sheet.hint = format!("{} chooses the program", model.keys.key_in(Context::Rehearsal, Action::Rehearse));
        sheet.scroll = self.scroll;
        self.head(model, &mut sheet);
        if columns < BESIDE {
            sheet.say(&format!(" nothing is applied · {}", self.clock), model.theme.dim);
        }
        let (differ, same) = match self.records() {
            [Some(draft), Some(live)] => runs::facts(model, draft, live),
            _ => return sheet,
        };
        self.runs(model, &mut sheet, &differ);
        if !matches!(self.rehearsal.run, Run::Probe) {
            self.output(model, &mut sheet);
        }
        if let Some(told) = self.conclusion(model) {
            self.tells(model, &mut sheet, &told);
        }
        sheet.rule("The same in both", "");
        for fact in &same {
            sheet.labelled(fact.name, &fact.values[0].0, model.theme.text);
        }
        sheet
    }

    /// Runs it again, once both runs have ended.
    fn accept(&mut self, model: &mut Model) -> After {
        if !self.is_over() {
            model.say(Severity::Quiet, "the runs have not ended");
            return After::STAY;
        }
        After::Close(open(model, self.rehearsal.run.clone(), self.rehearsal.draft))
    }

    /// Closes the page, and says in a message which run is still running.
    fn dismiss(&mut self, model: &mut Model) -> After {
        let what = match &self.rehearsal.runs {
            _ if self.is_over() => return After::CLOSE,
            _ if model.link.is_real() => "both runs continue, each for at most 60 s",
            [Rehearsed::Running(_), _] => {
                "the run under the draft continues (see Activity); the run under the live masks will not start"
            }
            _ => "the run under the live masks continues (see Activity)",
        };
        model.say(Severity::Warned, format!("rehearsal of {} left: {what}", self.rehearsal.run.title()));
        After::CLOSE
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.rehearsal.has(ticket)
    }

    fn offers(&self, model: &Model, action: Action) -> bool {
        match action {
            Action::Accept => self.is_over(),
            Action::Apply => !model.masks.changed(&model.snapshot).is_empty(),
            _ => true,
        }
    }
}

/// The state of one run, or its outcome.
fn state(model: &Model, sheet: &mut Sheet, name: &str, run: &Rehearsed) {
    let theme = &model.theme;
    match run {
        Rehearsed::Waiting => sheet.labelled(name, "waiting for the other run", theme.dim),
        Rehearsed::Running(_) => sheet.labelled(name, "running", theme.dim),
        Rehearsed::Failed(why) => sheet.labelled(name, &format!("✗ not run: {why}"), theme.bad),
        Rehearsed::Ended(record) => {
            let ended = ended_in_words(record);
            let took = record.took_us().map(|us| format!(" · {}", took(us))).unwrap_or_default();
            sheet.labelled(name, &format!("{}{took}", ended.text()), theme.mood(ended.mood));
            if let Some(why) = record.why().filter(|_| record.caps.is_none()) {
                sheet.labelled("", &screen_again(&why), theme.mood(ended.mood));
            }
        }
    }
}
