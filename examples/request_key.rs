//! A helper that constructs a key, as /sbin/request-key(8) does for the kernel: the helper gets the key's description
//! in its arguments, starts in a keyring in which it may search, and prints the payload. The cleanup hook checks how
//! the helper ended and instantiates the key or negates it. `cargo run --example request_key -- user:NAME`

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError};

use khelper::abi::Errno;
use khelper::abi::launch_spec::SessionKeyring;
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;

/// The state of a requested key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A helper is constructing it.
    UnderConstruction,
    /// It has this payload.
    Instantiated(Vec<u8>),
    /// It does not exist; the next request for it fails with this errno.
    Negative(Errno),
}

/// The keys of this program, by description.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<BTreeMap<String, Key>>>);

impl Keys {
    /// The key, if it is known.
    pub fn get(&self, description: &str) -> Option<Key> {
        self.lock().get(description).cloned()
    }

    /// Returns the key. If it is not known, `helper` constructs it, with the session keyring named `keyring`, which is
    /// created if there is none (keyctl_join_session_keyring(3)), or with a new one without a name.
    pub fn request(
        &self,
        engine: &Engine,
        helper: &str,
        description: &str,
        keyring: Option<&CStr>,
    ) -> Result<Key, Box<dyn std::error::Error>> {
        if let Some(known) = self.get(description) {
            return Ok(known);
        }
        self.lock().insert(description.to_owned(), Key::UnderConstruction);
        let (keys, named) = (self.clone(), description.to_owned());
        // request-key create KEY UID GID THREAD-KEYRING PROCESS-KEYRING SESSION-KEYRING
        let argv = [helper, "create", description, "0", "0", "0", "0", "0"];
        let keyring = keyring.map(CStr::to_owned);
        let info = SubprocessInfo::setup(Some(helper.into()), argv, ["PATH=/usr/bin:/bin", "HOME=/"])?
            .init(move |setup| {
                // The hook reads the operation from argv, as the kernel's own hook does.
                if setup.argv().get(1).is_none_or(|op| op.as_bytes() != b"create") {
                    return Err(Errno::EOPNOTSUPP);
                }
                if let Some(name) = keyring {
                    setup.session_keyring = SessionKeyring::Named(name);
                }
                Ok(())
            })
            // Runs on every path, even if the gate is disabled or exec failed, so no key stays under construction.
            .cleanup(move |record| {
                keys.lock().insert(named, outcome(record));
            });
        engine.call_usermodehelper(info, WaitMode::PROC);
        Ok(self.get(description).unwrap_or(Key::Negative(Errno::ENOKEY)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of a key after its helper has ended.
fn outcome(record: Option<&Record>) -> Key {
    match record {
        Some(record) if record.outcome == Outcome::Exited && record.result == Some(0) => {
            Key::Instantiated(record.output.as_ref().map(|o| o.stdout.clone()).unwrap_or_default())
        }
        Some(Record { errno: Some(errno), .. }) => Key::Negative(*errno),
        _ => Key::Negative(Errno::ENOKEY),
    }
}

#[cfg_attr(test, allow(dead_code, reason = "a test includes this file and calls `Keys`"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder().fix_sigchld(true).start()?;
    let description = std::env::args().nth(1).unwrap_or_else(|| "user:example".to_owned());
    let keys = Keys::default();
    // echo(1) prints its arguments, so the payload of this key is the request.
    println!("{:?}", keys.request(&engine, "/bin/echo", &description, None)?);
    println!("{:?}", keys.request(&engine, "/bin/false", "user:none", None)?);
    Ok(())
}
