//! The screen Rules: the rules of the target, what each has decided, and what was denied lately.

use crate::control::rules::{Denied, RuleUse, RulesView};

/// A row that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A rule, by its place.
    Rule(usize),
    /// Requests that were denied or would have been, by their place.
    Denied(usize),
}

/// The state of the screen.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The answer that was read last, or why there is none.
    pub answer: Option<Result<RulesView, String>>,
    /// The row under the cursor.
    pub at: usize,
    /// The line at the top of the list.
    pub top: usize,
    /// The state for which it was read; `None`: read it again.
    read_at: Option<u64>,
    in_flight: bool,
}

impl Rules {
    /// The rules that were read last.
    pub fn view(&self) -> Option<&RulesView> {
        self.answer.as_ref()?.as_ref().ok()
    }

    /// Whether an answer is awaited.
    pub const fn reads(&self) -> bool {
        self.in_flight
    }

    /// The next answer is another one, whatever has happened since the last.
    pub fn again(&mut self) {
        self.read_at = None;
    }

    /// Whether to read them: something has happened since, and the last question was answered. `seq` is the target's.
    pub fn ask(&mut self, seq: u64) -> bool {
        let asks = !self.in_flight && self.read_at != Some(seq);
        if asks {
            (self.in_flight, self.read_at) = (true, Some(seq));
        }
        asks
    }

    /// Stores an answer. The cursor stays on the same rule, or on the same denied requests.
    pub fn take(&mut self, answer: Result<RulesView, String>) {
        self.in_flight = false;
        let denied = |view: &RulesView, at: usize| view.lately.get(at).map(|one| (one.rule, one.asked.clone()));
        let was = match (self.item(), self.view()) {
            (Some(Item::Denied(at)), Some(view)) => denied(view, at),
            _ => None,
        };
        self.answer = Some(answer);
        if let (Some(was), Some(view)) = (was, self.view())
            && let Some(now) = (0..view.lately.len()).find(|at| denied(view, *at).as_ref() == Some(&was))
        {
            self.at = view.rules.len() + now;
        }
        self.at = self.at.min(self.items().saturating_sub(1));
    }

    /// How many rows can be chosen.
    pub fn items(&self) -> usize {
        self.view().map_or(0, |view| view.rules.len() + view.lately.len())
    }

    /// The row under the cursor.
    pub fn item(&self) -> Option<Item> {
        let rules = self.view()?.rules.len();
        (self.at < self.items()).then(|| match self.at.checked_sub(rules) {
            None => Item::Rule(self.at),
            Some(at) => Item::Denied(at),
        })
    }

    /// The rule under the cursor, or that decided the requests under it; and those requests.
    pub fn chosen(&self) -> Option<(Option<&RuleUse>, Option<&Denied>)> {
        let view = self.view()?;
        Some(match self.item()? {
            Item::Rule(at) => (view.rules.get(at), None),
            Item::Denied(at) => {
                let denied = view.lately.get(at)?;
                (view.rules.get(denied.rule), Some(denied))
            }
        })
    }

    /// Moves the cursor.
    pub fn move_by(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(self.items().saturating_sub(1));
    }
}

/// `10-server.rules:7`: the file without its folder, and the line. A knob has no line.
pub fn place(rule: &RuleUse) -> String {
    let file = rule.file.rsplit('/').next().unwrap_or_default();
    if rule.line == 0 { file.to_owned() } else { format!("{file}:{}", rule.line) }
}
