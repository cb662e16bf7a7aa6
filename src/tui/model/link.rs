//! The target, and whether what is shown of it is true now.

use crate::control::target::TargetInfo;
use crate::control::text::target::sentences;

/// What the console knows of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub info: TargetInfo,
    /// Its state has been read since it was started.
    pub seen: bool,
}

impl Link {
    /// How much of the screen to believe.
    pub fn news(&self, clock: &str) -> Option<String> {
        match self.info.lost() {
            Some(why) if self.seen => Some(format!("connection lost, state of {clock}: {why}")),
            Some(why) => Some(format!("no connection: {why}")),
            None if !self.seen => Some("waiting for its state".to_owned()),
            None => None,
        }
    }

    /// What stands at the top of the screen, for less and less room. The target is named in all of them.
    pub fn header(&self, clock: &str) -> Vec<String> {
        let sentences = sentences(&self.info);
        let Some(news) = self.news(clock) else { return sentences.into() };
        let [.., shortest] = &sentences;
        let first = news.split([',', ':']).next().unwrap_or_default();
        vec![format!("{shortest}: {news}"), format!("{shortest}: {first}")]
    }

    /// How many of these live helpers lose their engine when the console ends.
    pub fn owned(&self, live: usize) -> usize {
        if self.info.is_owned() { live } else { 0 }
    }
}
