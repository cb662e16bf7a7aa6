//! Reads the records of a ledger page by page: `cargo run --example ledger_history --features control -- FOLDER`.
//! Prints how many requests of each outcome there are, and the newest one.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use khelper::control::activity::history::History;
use khelper::control::text::outcome::answered;
use khelper::ledger::folder::default_path;
use khelper::ledger::history::Past;
use khelper::ledger::reader::Reader;

/// So many records are in memory at once.
const PAGE: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).or_else(default_path).ok_or("name a ledger's folder")?;
    let past = Past::new(Reader::open(&folder)?);
    let (mut from, mut outcomes, mut newest) = (0, BTreeMap::new(), None);
    loop {
        let (first, records) = past.ended_from(from, PAGE);
        if records.is_empty() {
            break;
        }
        from = first + records.len() as u64;
        records.iter().for_each(|record| *outcomes.entry(record.outcome).or_insert(0u64) += 1);
        newest = records.last().cloned();
    }
    for (outcome, count) in outcomes {
        println!("{}: {count}", outcome.name());
    }
    if let Some(record) = newest {
        println!("the newest: {}", answered(&record));
    }
    Ok(())
}
