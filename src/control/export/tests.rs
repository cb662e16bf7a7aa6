use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;
use crate::abi::actor::Origin;
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::WaitMode;
use crate::control::local::Local;
use crate::engine::{Engine, KnobWrite};
use crate::sys::fake::{FakeHost, Script};

/// An engine on a scripted host; modprobe is off, so that module requests end immediately.
fn engine() -> Engine {
    let host = FakeHost::new();
    host.script("/bin/true", Script { stdout: b"said\n".to_vec(), ..Script::default() });
    let engine = Engine::builder().host(host).start().unwrap();
    engine.write(&[KnobWrite::Modprobe([].into())], Origin::Library).unwrap();
    engine
}

fn run(engine: &Engine, path: &str, wait: WaitMode) -> u64 {
    let info = SubprocessInfo::setup(Some(path.into()), [path], HELPER_ENV).unwrap();
    engine.call_usermodehelper(info, wait).id
}

fn saving(path: &Path, what: What) -> Save {
    Save { path: path.as_os_str().as_bytes().to_vec(), what, over: None }
}

fn write(engine: &Engine, to: &Save) -> Result<Saved, Unsaved> {
    let target = Local::new(engine.clone());
    let by = crate::control::actor(Origin::Console);
    save(to, &Source::of(&target.info()), records(&target, &by, &to.what).unwrap())
}

#[test]
fn records_are_saved_whole_and_nothing_is_replaced_unasked() {
    let engine = engine();
    run(&engine, "/bin/true", WaitMode::PROC);
    engine.request_module(b"x\xff", true);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records");
    let all = || What::All(Query::default(), None);
    let saved = write(&engine, &saving(&path, all())).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!((saved.records, saved.bytes), (2, text.len() as u64));
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["module"].as_str(), lines[1]["stdout"].as_str()), (Some("x\\xff"), Some("said\n")));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

    let one = || What::One(engine.record(1).unwrap());
    let Err(Unsaved::Exists(existing)) = write(&engine, &saving(&path, one())) else { panic!() };
    assert_eq!(existing.bytes, saved.bytes);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // The file changes after the confirmation, so a new one is needed.
    let with_yes = Save { over: Some(existing.confirmed()), ..saving(&path, one()) };
    assert_eq!(write(&engine, &with_yes).unwrap().records, 1);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert!(matches!(write(&engine, &with_yes), Err(Unsaved::Exists(_))));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["records"], "nothing of ours is left beside it");
}

#[test]
fn a_failed_save_says_why() {
    let engine = engine();
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("li\nnk");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    let all = || What::All(Query::default(), None);
    for (path, says) in [
        (dir.path().join("no/where"), "ENOENT; the folder does not exist"),
        (dir.path().to_path_buf(), "is not a regular file"),
        (link, "li\\x0ank` is a symbolic link"),
        (Path::new("/").to_path_buf(), "the path has no file name"),
        (dir.path().join("x".repeat(300)), "ENAMETOOLONG"),
    ] {
        let Err(Unsaved::Failed(why)) = write(&engine, &saving(&path, all())) else { panic!("{path:?}") };
        assert!(why.contains(says), "{why}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
