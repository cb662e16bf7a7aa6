//! What a filter's words match is marked in the rows: underlined, whatever the colours.

use std::ops::Range;

use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use crate::abi::sort::sort_by_key;
use crate::control::activity::query::Query;
use crate::control::text::letters;
use crate::tui::model::Model;

/// The words that are marked.
pub(super) struct Matched {
    query: Query,
    key: Style,
}

impl Matched {
    /// The words of the filter.
    pub(super) fn of(model: &Model) -> Self {
        Self { query: model.activity.query(), key: model.theme.key }
    }

    /// A cell of a row. In a `name` letters in their order are marked too, if that is what is looked for.
    pub(super) fn spans(&self, text: String, style: Style, name: bool) -> Vec<Span<'static>> {
        let scattered = name && self.query.scattered;
        let lower = text.to_lowercase();
        let found = self.query.words.iter().filter_map(|word| letters::find(word, &lower, scattered)).flatten();
        let mut found: Vec<Range<usize>> = found.collect();
        // In a few scripts the lower case is longer: nothing is marked then.
        if found.is_empty() || lower.len() != text.len() {
            return vec![Span::styled(text, style)];
        }
        sort_by_key(&mut found, |range| range.start);
        // Of a chosen row, the letters keep its colours.
        let of_match = if style.add_modifier.contains(Modifier::REVERSED) || style.bg.is_some() {
            style
        } else {
            style.patch(self.key)
        };
        let of_match = of_match.add_modifier(Modifier::UNDERLINED);
        let (mut spans, mut at) = (Vec::new(), 0);
        for range in found {
            let range = range.start.max(at)..range.end;
            let (Some(before), Some(matched)) = (text.get(at..range.start), text.get(range.clone())) else { continue };
            if !before.is_empty() {
                spans.push(Span::styled(before.to_owned(), style));
            }
            spans.push(Span::styled(matched.to_owned(), of_match));
            at = range.end;
        }
        spans.push(Span::styled(text[at..].to_owned(), style));
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::field::Field;
    use crate::tui::testing::fixtures;

    fn marked(words: &str, scattered: bool, text: &str, name: bool) -> Vec<String> {
        let mut model = fixtures::model(fixtures::busy(2), 120, 40);
        model.activity.words = Field::new(words.as_bytes());
        let all: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        model.activity.scattered = scattered.then_some(all);
        let spans = Matched::of(&model).spans(text.to_owned(), Style::new(), name);
        assert_eq!(spans.iter().map(|span| &*span.content).collect::<String>(), text);
        let underlined = |span: &&Span<'_>| span.style.add_modifier.contains(Modifier::UNDERLINED);
        spans.iter().filter(underlined).map(|span| span.content.to_string()).collect()
    }

    #[test]
    fn what_the_words_match_is_underlined_and_no_letter_is_lost() {
        assert_eq!(marked("conn FTP", false, "nf_conntrack_ftp  ", true), ["conn", "ftp"]);
        assert_eq!(marked("track conntr", false, "nf_conntrack", true), ["conntr", "ack"], "they overlap");
        assert_eq!(marked("nfct", false, "nf_conntrack", true), [""; 0]);
        assert_eq!(marked("nfct", true, "nf_conntrack", true), ["n", "f", "c", "t"]);
        assert_eq!(marked("nfct", true, "nf_conntrack", false), [""; 0], "no name");
        assert_eq!(marked("i", false, "İi", true), [""; 0]);
        assert_eq!(marked("é", false, "né漢é", true), ["é"]);
    }
}
