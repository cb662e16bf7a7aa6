//! A record sink: prints each helper that starts, each request that has ended, and each change of a knob or the gate,
//! as a ledger would store them. The engine never waits for it. `cargo run --example record_sink -- NAME...`

use std::sync::Arc;
use std::time::Duration;

use khelper::abi::actor::Origin;
use khelper::abi::escape::screen;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Record;
use khelper::abi::sink::{Changed, RecordSink};
use khelper::engine::{Engine, KnobWrite};

struct Print;

impl RecordSink for Print {
    fn started(&self, record: &Arc<Record>) {
        println!("started  #{} {}: pid {}", record.id, screen(record.title()), record.pid.unwrap_or_default());
    }
    fn finished(&self, record: &Arc<Record>) {
        let result = record.result.map_or_else(|| "no result".to_owned(), |result| format!("result {result}"));
        println!("finished #{} {}: {}, {result}", record.id, screen(record.title()), record.outcome.name());
    }
    fn changed(&self, change: &Changed) {
        println!("changed  {:?}", change.event.kind);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder().fix_sigchld(true).record_sink(Arc::new(Print)).start()?;
    let echo = KnobWrite::Modprobe(parse_modprobe(b"/bin/echo")?);
    engine.write(&[echo], Origin::Library).map_err(|(key, error)| format!("{key}: {error}"))?;

    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = vec!["dummy".into(), "a/name/that\nis/hostile".into()];
    }
    for name in names {
        engine.request_module(name, true);
    }

    // Before this returns, the sink gets the items queued for it, unless that takes more than a second.
    engine.shutdown(Duration::from_secs(5));
    println!("records lost: {}", engine.snapshot().totals.records_lost);
    Ok(())
}
