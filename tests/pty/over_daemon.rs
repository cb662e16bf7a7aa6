//! The console of these tests has the engine of a daemon.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use khelper::control::{Command, Key, Reply};
use khelper::remote::Direct;

use crate::daemon::Daemon;

/// Whether the engine ends with the console.
pub const OWN: bool = false;
/// The text that every screen shows in every size.
pub const TARGET: &str = "daemon unix:";
/// How the log names the console as the writer of a knob.
pub const BY: &str = "outside";
/// With which letter the line of the target begins, however short it is.
pub const FIRST: &str = "[";

/// The daemon; with it end the helpers that the console left.
pub struct Engine(pub Daemon);

impl Drop for Engine {
    fn drop(&mut self) {
        // A failed test may have killed the daemon.
        let ask = |command| Direct::connect(&self.0.address()).and_then(|daemon| daemon.ask(&command));
        let Ok(Reply::Live(live)) = ask(Command::Live { after: 0, most: 256 }) else { return };
        for id in live.into_iter().filter(|live| live.pid.is_some()).map(|live| live.id) {
            // It may have ended meanwhile.
            let _ = ask(Command::Kill { id, signal: 9 });
        }
    }
}

/// A daemon whose modprobe is this program, and the options of its console. What `--set` sets is set in the daemon.
pub fn engine(modprobe: &str, options: &[&str]) -> (Engine, Vec<String>) {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, modprobe.as_bytes());
    let mut all = vec!["--target".to_owned(), daemon.target()];
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        if option == "--set" {
            let (key, value) = options.next().unwrap().split_once('=').unwrap();
            daemon.set(Key::parse(key).unwrap(), value.as_bytes());
        } else {
            all.push(option.to_owned());
        }
    }
    (Engine(daemon), all)
}
