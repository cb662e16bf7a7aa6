//! Helpers that ask again: `assets/demo/asking` as modprobe, with a stand-in for `khelper request` that asks an engine of
//! this process over a Unix socket, as a daemon would be asked.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use khelper::abi::actor::{Actor, Origin};
use khelper::abi::record::Record;
use khelper::engine::{Caller, Engine, KnobWrite};

use crate::common::Dir;

/// The variables of the stand-in: the socket, and the module's name.
const SOCKET: &str = "KHELPER_TEST_SOCKET";
const NAME: &str = "KHELPER_TEST_NAME";

/// The body of the test `client`, which is the stand-in if it is run by the script [`Asking::new`] writes: asks for one
/// module and exits with 0 if it was loaded, 75 if it was refused, and 1 otherwise.
pub fn client() {
    let (Ok(socket), Ok(name)) = (std::env::var(SOCKET), std::env::var(NAME)) else { return };
    let mut code = [1];
    if let Ok(mut stream) = UnixStream::connect(socket) {
        // An error is an engine that has ended.
        let _ = stream.write_all(name.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_exact(&mut code);
    }
    std::process::exit(code[0].into());
}

/// A folder with the demo as modprobe, and the socket at which helpers ask.
pub struct Asking {
    dir: Dir,
    engine: Engine,
    /// The connections that are open.
    open: Arc<AtomicUsize>,
}

impl Asking {
    /// An engine whose modprobe is `modprobe`, a script in a folder with `khelper`. Requests are served until the test
    /// process ends.
    pub fn new(engine: Engine, modprobe: &str) -> Self {
        let dir = Dir::new();
        let me = std::env::current_exe().unwrap();
        let socket = dir.path().join("socket");
        let stand_in = format!(
            "#!/bin/sh\nfor name; do :; done\nexport {NAME}=\"$name\" {SOCKET}='{}'\nexec '{}' --exact client --nocapture\n",
            socket.display(),
            me.display()
        );
        dir.script("khelper", &stand_in);
        let modprobe = dir.script("asking", modprobe);
        engine.write(&[KnobWrite::Modprobe(modprobe.as_bytes().into())], Origin::Library).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&socket, all).unwrap();
        let open = Arc::<AtomicUsize>::default();
        let (theirs, count) = (engine.clone(), open.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (engine, count, stream) = (theirs.clone(), count.clone(), stream.unwrap());
                count.fetch_add(1, Ordering::AcqRel);
                let work = move || {
                    serve(&engine, stream);
                    count.fetch_sub(1, Ordering::AcqRel);
                };
                thread::Builder::new().stack_size(256 * 1024).spawn(work).unwrap();
            }
        });
        Self { dir, engine, open }
    }

    /// The engine with the demo that asks again.
    pub fn demo(engine: Engine) -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/asking");
        Self::new(engine, &std::fs::read_to_string(demo).unwrap())
    }

    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The stat of each process that runs a program of the folder or this test's stand-in.
    pub fn processes(&self) -> Vec<String> {
        let mine = format!("{}/", self.dir.path().display()).into_bytes();
        let stat = |path: PathBuf| {
            let read = |file: &str| std::fs::read(path.join(file)).unwrap_or_default();
            let uses = |file: &str| read(file).windows(mine.len()).any(|part| part == mine);
            let is_process = path.file_name()?.to_str()?.parse::<u32>().is_ok();
            let found = is_process && (uses("cmdline") || uses("environ"));
            found.then(|| String::from_utf8_lossy(&read("stat")).into_owned())
        };
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| stat(entry.ok()?.path())).collect()
    }
}

fn serve(engine: &Engine, mut stream: UnixStream) {
    let peer = rustix::net::sockopt::socket_peercred(&stream).unwrap();
    let pid = peer.pid.as_raw_pid();
    let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let actor = Actor::new(Origin::Outside, pid, peer.uid.as_raw(), peer.gid.as_raw(), comm.trim_ascii_end());
    let mut name = Vec::new();
    stream.read_to_end(&mut name).unwrap();
    let record = engine.request_module_as(&name, true, &Caller { actor: Some(Arc::new(actor)), ..Caller::default() });
    // An error is a client that has gone.
    let _ = stream.write_all(&[code(&record)]);
}

fn code(record: &Record) -> u8 {
    match (record.result, record.pid) {
        (Some(0), _) => 0,
        (_, None) => 75,
        _ => 1,
    }
}
