//! Finds what the mouse clicked on.

use ratatui::layout::Position;

use crate::abi::cap::Capability;
use crate::control::MaskKnob;
use crate::tui::model::overview::Item;
use crate::tui::model::{Model, Tab};
use crate::tui::panels::tabs;

use super::areas::Areas;
use super::{activity, log, masks, overview, rules};

/// A clickable item of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The name of a screen.
    Tab(Tab),
    /// A row of the masks, or the box of one mask in it.
    Capability(Capability, Option<MaskKnob>),
    /// A row of Activity, Log or Rules, counted from 0.
    Row(usize),
    /// A row of the Overview.
    Item(Item),
}

/// The item in this cell of the screen, if no dialog covers it.
pub fn hit(model: &Model, x: u16, y: u16) -> Option<Hit> {
    let areas = Areas::now(model);
    let at = Position { x, y };
    if areas.tabs.contains(at) {
        return tabs::at(model, model.columns, x).map(Hit::Tab);
    }
    if !areas.body.contains(at) {
        return None;
    }
    match model.tab {
        Tab::Overview => overview::hit(model, at).map(Hit::Item),
        Tab::Masks => masks::hit(model, at).map(|(cap, knob)| Hit::Capability(cap, knob)),
        Tab::Activity => activity::hit(model, at).map(Hit::Row),
        Tab::Log => log::hit(model, at).map(Hit::Row),
        Tab::Rules => rules::hit(model, at).map(Hit::Row),
    }
}
