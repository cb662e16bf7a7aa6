//! The target, and whether the state on the screen is current.

use std::borrow::Cow;

use crate::control::target::{TargetInfo, TargetKind};
use crate::control::text::error::explain;
use crate::control::text::target::{not_sent, sentences};
use crate::tui::text::fit;

/// The connection to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its description.
    pub info: TargetInfo,
    /// Whether its state has been read since it was started.
    pub seen: bool,
}

/// The widest name of another machine.
const WIDEST: usize = 24;

/// The name of a target in the list of targets: a word, never cut; another machine's name may be.
pub fn tab(info: &TargetInfo) -> Cow<'static, str> {
    let demo = || TargetInfo::DEMO.into_iter().find(|name| *name == info.name);
    match (info.kind, info.host()) {
        (TargetKind::Embedded, _) => demo().unwrap_or("engine").into(),
        (TargetKind::Kernel, None) => "kernel".into(),
        (TargetKind::Daemon, None) => "daemon".into(),
        (TargetKind::Kernel, Some(host)) => format!("{} kernel", fit(host, WIDEST)).into(),
        (TargetKind::Daemon, Some(host)) => fit(host, WIDEST).into(),
    }
}

impl Link {
    /// Why the state on the screen is not current, if so.
    pub fn news(&self, clock: &str) -> Option<String> {
        match self.info.lost() {
            Some(why) if self.seen => Some(format!("connection lost, state of {clock}: {why}")),
            Some(why) => Some(format!("no connection: {why}")),
            None if !self.seen => Some("waiting for its state".to_owned()),
            None => None,
        }
    }

    /// Why nothing can be sent now, if the connection is lost: what was typed stays where it is.
    pub fn unreachable(&self) -> Option<String> {
        self.info.lost().map(|why| explain(&not_sent(&self.info, why)))
    }

    /// Its name in the list of targets.
    pub fn tab(&self) -> Cow<'static, str> {
        tab(&self.info)
    }

    /// Whether it is a kernel: this machine's own, or another machine's.
    pub fn is_real(&self) -> bool {
        self.info.kind == TargetKind::Kernel
    }

    /// The sentences beside [`Self::tab`], each for less room than the one before; the last ones do not repeat that
    /// word.
    pub fn beside_tab(&self, clock: &str) -> Vec<String> {
        let mut all = self.header(clock);
        if self.info.lost().is_none() && self.seen && self.info.is_owned() && !self.info.is_demo() {
            let what = all[0].rsplit(": ").next().unwrap_or_default().replace("this machine's ", "");
            let what = what.replace(" is ", " ");
            all.splice(2.., [format!("pid {}: {what}", self.info.pid), what]);
        }
        all
    }

    /// The texts for the top of the screen, each for less room. All of them name the target.
    pub fn header(&self, clock: &str) -> Vec<String> {
        let sentences = sentences(&self.info);
        let Some(news) = self.news(clock) else { return sentences.into() };
        let [.., shortest] = &sentences;
        let first = news.split([',', ':']).next().unwrap_or_default();
        let since = news.split(": ").next().unwrap_or_default();
        vec![format!("{shortest}: {news}"), format!("{shortest}: {since}"), format!("{shortest}: {first}")]
    }

    /// How many of these live helpers lose their engine when the console ends. Those of a demo end with it.
    pub fn owned(&self, live: usize) -> usize {
        if self.info.is_owned() && !self.info.is_demo() { live } else { 0 }
    }
}
