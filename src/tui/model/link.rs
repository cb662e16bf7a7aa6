//! The target, and whether the state on the screen is current.

use crate::control::target::TargetInfo;
use crate::control::text::target::sentences;

/// The connection to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its description.
    pub info: TargetInfo,
    /// Whether its state has been read since it was started.
    pub seen: bool,
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

    /// The texts for the top of the screen, each for less room. All of them name the target.
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
