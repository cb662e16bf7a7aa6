//! Answers to requests: one alone is told whole, many are counted.

use crate::abi::error::ControlError;
use crate::abi::escape::screen_again;
use crate::abi::record::{Outcome, Record};
use crate::control::Reply;
use crate::control::text::outcome::{Severity, chain, ended_in_words, ended_with_time, title};
use crate::tui::model::Model;

use crate::tui::model::explain::explain;

/// One answer of a batch.
pub(super) fn request(model: &mut Model, batch: u64, reply: Result<Reply, ControlError>) {
    let (mood, ending) = match &reply {
        Ok(Reply::Answered(record)) => {
            let ended = ended_in_words(record);
            (ended.mood, ended.text())
        }
        Ok(_) => (Severity::Quiet, "done".to_owned()),
        Err(error) => (Severity::Bad, error.to_string()),
    };
    let Some(entry) = model.batches.get_mut(&batch) else { return };
    entry.answered += 1;
    let mood = entry.take(mood);
    *entry.tally.entry(kind_of_ending(&ending)).or_default() += 1;
    let text = if entry.asked == 1 {
        match &reply {
            Ok(Reply::Answered(record)) => answered(record),
            Ok(_) => ending,
            Err(error) => explain(error),
        }
    } else {
        let tally: Vec<String> = entry.tally.iter().map(|(ending, n)| format!("{n} {ending}")).collect();
        format!("{}: {} of {} answered: {}", entry.title, entry.answered, entry.asked, tally.join(", "))
    };
    if entry.answered == entry.asked {
        model.batches.remove(&batch);
    }
    model.say(mood, text);
}

/// One request: which, how it ended, and for a refusal why and what to do.
pub(super) fn answered(record: &Record) -> String {
    let mut text = format!("#{} {}: {}", record.id, title(record), ended_with_time(record));
    if matches!(record.outcome, Outcome::Refused | Outcome::ExecFailed | Outcome::Lost | Outcome::Abandoned)
        && let Some(why) = record.why()
    {
        text.push_str(" — ");
        text.push_str(&screen_again(&why));
    }
    if !record.chain.is_empty() {
        text.push_str(&format!("; asked by {}", chain(&record.chain)));
    }
    text
}

/// Endings that differ only in a pid are counted together.
fn kind_of_ending(ending: &str) -> String {
    match ending.split_once(" as pid ") {
        Some((before, _)) => format!("{before}, not waited for"),
        None => ending.to_owned(),
    }
}
