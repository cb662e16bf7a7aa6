//! Consoles that show the snapshots and records of [`crate::control::testing`].

use std::sync::Arc;

use crate::abi::record::Record;
use crate::abi::snapshot::Snapshot;
use crate::control::activity::page::{PageRequest, RecordDetail, RecordPage, RecordSummary};
use crate::control::activity::query::Query;
use crate::control::activity::reader::Reader;
use crate::control::target::{LinkState, RunId, TargetInfo, TargetKind};
use crate::control::testing::Kept;
use crate::tui::Options;
use crate::tui::model::Model;
use crate::tui::model::record_row::RowPage;

/// A console over the engine of this snapshot. Its clock stands still and has no time zone.
pub fn model(snapshot: Snapshot, columns: u16, rows: u16) -> Model {
    let options = Options { read_only: false, mouse: false, ascii: false, theme: None };
    let target = TargetInfo {
        kind: TargetKind::Embedded,
        name: String::new(),
        version: "1.2.3".into(),
        pid: snapshot.pid,
        uid: snapshot.uid,
        run: RunId { started: 1, pid: snapshot.pid },
        link: LinkState::Up,
        known: snapshot.known,
    };
    let mut model = Model::new(options, target, snapshot, columns, rows);
    model.local = |_| "12:03:44".to_owned();
    model
}

/// The page that the reader returns for this question about these records. The clock stands still.
pub fn read_page(records: &[Record], question: &PageRequest) -> RowPage {
    still(reader(records).answer(question).into())
}

/// The requests that match.
pub fn read_ids(records: &[Record], query: &Query, newest: Option<u64>) -> Vec<u64> {
    reader(records).ids(query, newest)
}

fn reader(records: &[Record]) -> Reader {
    let mut all: Vec<Arc<Record>> = records.iter().cloned().map(Arc::new).collect();
    all.sort_by_key(|record| record.id);
    Reader::new(Kept(all))
}

/// The same over a demo.
pub fn demo(snapshot: Snapshot, columns: u16, rows: u16) -> Model {
    let model = model(snapshot.clone(), columns, rows);
    let target = TargetInfo { name: TargetInfo::DEMO[0].to_owned(), ..model.link.info };
    let mut demo = Model::new(model.options, target, snapshot, columns, rows);
    demo.local = model.local;
    demo
}

/// The page that the reader would return: these records, the newest first, the cursor on the one at `at`. The clock
/// stands still.
pub fn answer(records: &[Record], at: usize) -> RowPage {
    let detail = records.get(at).map(|record| {
        let (chain, chain_now) = (record.chain.to_vec(), record.chain.is_empty());
        Box::new(RecordDetail { record: Arc::new(record.clone()), chain, chain_now })
    });
    still(RowPage::from(RecordPage {
        matched: records.len(),
        in_rows: records.len(),
        looked: records.len(),
        newest: records.first().map_or(0, |record| record.id),
        first: 0,
        rows: records.iter().map(|record| RecordSummary::of(&Arc::new(record.clone()))).collect(),
        at: (at < records.len()).then_some(at),
        detail,
        ..RecordPage::default()
    }))
}

fn still(mut page: RowPage) -> RowPage {
    for row in &mut page.rows {
        row.time = "12:03:44.017".to_owned();
        if !row.oldest.is_empty() {
            row.oldest = "2026-11-24 12:03:40.005".to_owned();
        }
    }
    if let Some(detail) = &mut page.detail {
        detail.asked = "2026-11-24 12:03:44.017".to_owned();
    }
    page
}
