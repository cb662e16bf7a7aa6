//! The requests that share the row under the cursor of the Overview, one by one.

use ratatui::text::Line;

use crate::abi::record::Record;
use crate::abi::snapshot::Live;
use crate::control::activity::alike::Alike;
use crate::control::text::outcome::took;
use crate::tui::model::Model;
use crate::tui::model::overview::Item;
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// Its title and its lines, if the row stands for more than one request and they are not shown one by one already.
pub fn members(model: &Model, item: Item, columns: usize) -> Option<(String, Vec<Line<'static>>)> {
    let s = &model.snapshot;
    let cells = |id: u64, at: u64, us: Option<u64>, pid: Option<i32>| {
        let pid = pid.map(|pid| format!("  pid {pid}")).unwrap_or_default();
        let took = us.map(took).unwrap_or_default();
        let words = format!(" {:>8}  {}  {took:>9}{pid}", format!("#{id}"), model.clock(at));
        line(text::fit(&words, columns), model.theme.text)
    };
    let live = |live: &Live| cells(live.id, live.at, Some(model.now.saturating_sub(live.at)), live.pid);
    let over =
        |record: &Record| cells(record.id, record.at + record.ended_us.unwrap_or(0), record.took_us(), record.pid);
    let (order, lines): (_, Vec<Line<'static>>) = match item {
        Item::Running(id) => {
            let first = Alike::of_live(s.running.iter().find(|live| live.id == id)?);
            ("oldest", s.running.iter().filter(|other| Alike::of_live(other) == first).map(live).collect())
        }
        Item::Ended(id) => {
            let first = Alike::of(s.last.iter().find(|record| record.id == id)?);
            ("newest", s.last.iter().filter(|other| Alike::of(other) == first).map(|record| over(record)).collect())
        }
        _ => return None,
    };
    let shows = lines.len() > 1 && !model.overview.unfolded;
    shows.then(|| (format!("These {}, {order} first", lines.len()), lines))
}
