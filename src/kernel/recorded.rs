//! What real kernels said of some helpers, byte by byte: recordings of `cargo test --test uml -- --record FOLDER`.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;

use super::event::{Decoder, Kind, Traced};
use super::format::{EventFormat, PageFormat};
use super::page::Page;

/// One kernel's.
pub struct Recording {
    pub page: String,
    /// The folder of each event, and the text of its format.
    pub formats: Vec<(Kind, String)>,
    pub works: Vec<Vec<u8>>,
    pub forks: Vec<Vec<u8>>,
    /// Time, pid, parent, status.
    pub ends: Vec<[i64; 4]>,
    pub threads: Vec<i32>,
    pub truth: Vec<Recorded>,
}

/// What a requester and its helper recorded.
pub struct Recorded {
    pub pid: i32,
    pub tid: i32,
    pub status: i32,
    /// `module`, `key`, `core`, `agent`.
    pub kind: String,
    pub number: u64,
}

const KINDS: [Kind; 7] = [Kind::Queue, Kind::Start, Kind::End, Kind::Fork, Kind::Exec, Kind::Rename, Kind::Module];

impl Recording {
    fn parse(text: &str) -> Self {
        let all: Value = serde_json::from_str(text).unwrap();
        let list = |name: &str| all[name].as_array().unwrap().clone();
        let number = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        let pages = |name: &str| {
            list(name).iter().map(|page| page.as_str().unwrap().as_bytes().chunks(2).map(byte).collect()).collect()
        };
        let kind = |folder: &Value| KINDS.into_iter().find(|kind| kind.folder() == folder).unwrap();
        Self {
            page: text(&all["page"]),
            formats: list("formats").iter().map(|both| (kind(&both[0]), text(&both[1]))).collect(),
            works: pages("works"),
            forks: pages("forks"),
            ends: list("ends").iter().map(|end| [0, 1, 2, 3].map(|at| end[at].as_i64().unwrap())).collect(),
            threads: list("threads").iter().map(number).collect(),
            truth: list("truth")
                .iter()
                .map(|one| Recorded {
                    pid: number(&one["pid"]),
                    tid: number(&one["tid"]),
                    status: number(&one["status"]),
                    kind: text(&one["kind"]),
                    number: one["number"].as_u64().unwrap(),
                })
                .collect(),
        }
    }

    pub fn all() -> [(&'static str, Self); 3] {
        [
            ("6.1", Self::parse(include_str!("../../tests/uml/recordings/vm-6.1.json"))),
            ("6.12", Self::parse(include_str!("../../tests/uml/recordings/vm-6.12.json"))),
            ("7.2", Self::parse(include_str!("../../tests/uml/recordings/uml-7.2.json"))),
        ]
    }

    /// The events of these pages, each with its time.
    pub fn events(&self, pages: &[Vec<u8>]) -> Vec<(u64, Traced)> {
        let format = PageFormat::parse(self.page.as_bytes()).unwrap();
        let mut decoder = Decoder::default();
        assert!(self.formats.iter().all(|(kind, text)| decoder.add(*kind, text.as_bytes())));
        let of = |page: &Vec<u8>| -> Vec<(u64, Traced)> {
            let page = Page::parse(&format, page).unwrap();
            let of = |record: super::page::Record<'_>| (record.time, decoder.decode(record.data).unwrap());
            page.records().map(|record| of(record.unwrap())).collect()
        };
        pages.iter().flat_map(of).collect()
    }
}

#[test]
fn every_record_of_a_real_kernel_is_decoded() {
    for (release, recording) in Recording::all() {
        let (works, forks) = (recording.events(&recording.works), recording.events(&recording.forks));
        let count = |kind: &str| recording.truth.iter().filter(|one| one.kind == kind).count();
        // Three events of each work; a module has a request before it, a release agent a work of its own.
        let wanted = 4 * count("module") + 3 * count("key") + 3 * count("core") + 6 * count("agent");
        assert_eq!(works.len(), wanted, "{release}");
        assert!(forks.len() >= 2 * recording.truth.len(), "{release}");
        let mut statuses: HashMap<i64, i64> = recording.ends.iter().map(|[_, pid, _, raw]| (*pid, *raw)).collect();
        for one in &recording.truth {
            assert_eq!(statuses.remove(&one.pid.into()), Some(one.status.into()), "{release} {}", one.pid);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Bytes of pages and of formats of a real kernel are replaced, pages are cut, and numbers in formats grow: what is
    /// read lies in the page, and nothing panics.
    #[test]
    fn damaged_pages_are_read_through_damaged_formats_without_a_panic(
        which in 0usize..3, flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        texts in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[0-9;:\\[\\] \t\na-z]{0,4}"), 0..6),
        cut in any::<prop::sample::Index>(), junk in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (_, mut recording) = Recording::all().into_iter().nth(which).unwrap();
        for (format, at, with) in texts {
            let count = recording.formats.len();
            let text = match format.index(count + 1) {
                at if at == count => &mut recording.page,
                at => &mut recording.formats[at].1,
            };
            let at = at.index(text.len() + 1);
            text.replace_range(at..text.len().min(at + with.len() / 2), &with);
        }
        let Some(format) = PageFormat::parse(recording.page.as_bytes()) else { return Ok(()) };
        let mut decoder = Decoder::default();
        recording.formats.iter().for_each(|(kind, text)| {
            decoder.add(*kind, text.as_bytes());
            if let Some(format) = EventFormat::parse(text.as_bytes()) {
                assert!(format.fields.iter().all(|field| field.offset + field.size <= 1 << 16));
            }
        });
        let mut pages = [recording.works, recording.forks, vec![junk]].concat();
        for page in &mut pages {
            for (at, to) in &flips {
                if !page.is_empty() {
                    let at = at.index(page.len());
                    page[at] = *to;
                }
            }
            page.truncate(cut.index(2 * page.len() + 1));
            if let Ok(parsed) = Page::parse(&format, page) {
                let records: Vec<_> = parsed.records().collect();
                prop_assert!(records.len() <= page.len());
                records.into_iter().flatten().for_each(|record| drop(decoder.decode(record.data)));
            }
        }
    }
}
