//! Records into a file, as JSON lines: whole or not at all. A file that is there is replaced only if the operator said
//! yes to that very file.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::abi::record::{Record, State};
use crate::control::record_json::Entry;
use crate::engine::Engine;
use crate::tui::model::records::{Existing, Overwrite, Save, Saved, Unsaved, What};

use super::Reader;

/// What was asked for and who made it may be in it: for its owner alone.
const MODE: u32 = 0o600;

/// Writes what is to be saved.
pub(in crate::tui) fn save(engine: &Engine, save: &Save) -> Result<Saved, Unsaved> {
    let path = PathBuf::from(OsStr::from_bytes(&save.path));
    let why = |what: &str, e: &io::Error| Unsaved::Failed(format!("{what}: {}; {}", cause(e), advice(e)));
    let name = path.file_name().ok_or_else(|| Unsaved::Failed("the path names no file: give one".into()))?;
    may_be_written(&path, save.over.as_ref())?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut temporary = Temporary::new(&folder, name)
        .map_err(|e| why(&format!("no file can be made in `{}`", screen(folder.as_os_str().as_bytes())), &e))?;
    let shown = screen(path.as_os_str().as_bytes());
    let (records, bytes) =
        write(engine, &save.what, &mut temporary.file).map_err(|e| why(&format!("`{shown}` was not written"), &e))?;
    // Again: what is there now may not be what was asked about.
    may_be_written(&path, save.over.as_ref())?;
    match put(&temporary.path, &path, save.over.is_some()) {
        Ok(()) => temporary.path.clear(),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            may_be_written(&path, None)?;
            return Err(why(&format!("`{shown}` was not written"), &e));
        }
        Err(e) => return Err(why(&format!("`{shown}` was not written"), &e)),
    }
    // The name is on the disk too; where that cannot be asked for, it is there all the same.
    let _ = File::open(&folder).and_then(|folder| folder.sync_all());
    let path = fs::canonicalize(&path).map_or(shown, |whole| screen(whole.as_os_str().as_bytes()));
    Ok(Saved { path, records, bytes })
}

/// Nothing is there, or the file that may be replaced.
fn may_be_written(path: &Path, over: Option<&Overwrite>) -> Result<(), Unsaved> {
    let shown = screen(path.as_os_str().as_bytes());
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Unsaved::Failed(format!("`{shown}`: {}; {}", cause(&e), advice(&e)))),
    };
    if !meta.is_file() {
        let what = if meta.is_symlink() { "a symbolic link" } else { "no regular file" };
        return Err(Unsaved::Failed(format!("`{shown}` is {what}: name the file itself, or another one")));
    }
    let existing = Existing::new(&meta);
    match over {
        Some(yes) if yes.allows(&existing) => Ok(()),
        _ => Err(Unsaved::Exists(existing)),
    }
}

fn write(engine: &Engine, what: &What, file: &mut File) -> io::Result<(u64, u64)> {
    let mut out = Counted { to: BufWriter::new(file), bytes: 0 };
    let mut records = 0;
    let mut one = |record: &Record| -> io::Result<()> {
        serde_json::to_writer(&mut out, &Entry::from(record))?;
        records += 1;
        out.write_all(b"\n")
    };
    match what {
        What::One(record) if record.state == State::Ended => one(record)?,
        What::One(record) => one(&engine.record(record.id).unwrap_or_else(|| Arc::clone(record)))?,
        What::All(query, newest) => {
            for record in Reader::new(engine.clone()).all(query, *newest) {
                one(&record)?;
            }
        }
    }
    out.flush()?;
    out.to.get_ref().sync_all()?;
    Ok((records, out.bytes))
}

/// Gives the file its name; without `replace` only if nobody has it.
fn put(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows how.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        done => done.map_err(Into::into),
    }
}

/// A file of ours beside the one that it will be; it goes away unless it has got its name.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn new(folder: &Path, name: &OsStr) -> io::Result<Self> {
        // A name has at most 255 bytes, and ours adds to it.
        let short = &name.as_bytes()[..name.len().min(200)];
        let mut unlike = 0u32;
        loop {
            let mut own = b".".to_vec();
            own.extend_from_slice(short);
            own.extend_from_slice(format!(".{}-{unlike}.tmp", std::process::id()).as_bytes());
            let path = folder.join(OsStr::from_bytes(&own));
            match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
                Ok(file) => return Ok(Self { file, path }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && unlike < 100 => unlike += 1,
                Err(e) => return Err(e),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

struct Counted<W> {
    to: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn cause(e: &io::Error) -> String {
    match e.raw_os_error() {
        Some(raw) => errno_name(nix::errno::Errno::from_raw(raw)),
        None => screen(e.to_string().as_bytes()),
    }
}

fn advice(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::NotFound => "the folder does not exist: make it, or name another",
        io::ErrorKind::PermissionDenied => "this user may not write there: name another folder",
        io::ErrorKind::NotADirectory => "a part of the path is no folder: look at it again",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "there is no room: free some, or name another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => "nothing can be written there: name another disk",
        io::ErrorKind::InvalidFilename => "the name is too long: give a shorter one",
        _ => "name another file",
    }
}
