//! Writes records to a file, one JSON object per line. The file is written completely or not at all. An existing file
//! is replaced only if the operator has confirmed this for exactly that file.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, Explain, errno_name, io_words};
use crate::abi::escape::screen;
use crate::abi::record::{Record, State};
use crate::control::ask::ask;
use crate::control::command::{Command, Reply};
use crate::control::pages;
use crate::control::record_json::{Entry, Source};
use crate::control::target::Target;

use super::activity::query::Query;

/// Only the owner may read the file: it shows all requests and requesters.
const MODE: u32 = 0o600;

/// The records to save.
#[derive(Clone, Debug)]
pub enum What {
    /// One record.
    One(Arc<Record>),
    /// Every record that matches, without requests newer than the given one.
    All(Query, Option<u64>),
}

/// An existing file, identified by its state when the operator was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// Its length.
    pub bytes: u64,
    file: (u64, u64),
    changed: (i64, i64),
}

impl Existing {
    /// The file that has this metadata.
    pub fn new(meta: &Metadata) -> Self {
        Self { bytes: meta.len(), file: (meta.dev(), meta.ino()), changed: (meta.ctime(), meta.ctime_nsec()) }
    }

    /// Records that the operator has confirmed to replace this file.
    pub const fn confirmed(self) -> Overwrite {
        Overwrite(self)
    }
}

/// The operator's confirmation to replace one file. It is invalid once the file has changed.
#[derive(Clone, Debug)]
pub struct Overwrite(Existing);

impl Overwrite {
    /// Whether this file is the one that may be replaced.
    pub fn allows(&self, file: &Existing) -> bool {
        self.0 == *file
    }
}

/// A request to write records to a file.
#[derive(Clone, Debug)]
pub struct Save {
    /// The file.
    pub path: Vec<u8>,
    /// The records.
    pub what: What,
    /// The confirmation to replace an existing file.
    pub over: Option<Overwrite>,
}

/// The result of a successful save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The file, escaped.
    pub path: String,
    /// The number of records.
    pub records: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// The file exists.
    Exists(Existing),
    /// The cause and the advice, escaped.
    Failed(String),
}

/// Reads the records to write from a target, a piece at a time.
pub fn records(
    target: &dyn Target,
    by: &Actor,
    what: &What,
) -> Result<impl Iterator<Item = Result<Arc<Record>, ControlError>>, ControlError> {
    let (one, ids) = match what {
        What::One(record) if record.state == State::Ended => (Some(Arc::clone(record)), Vec::new()),
        What::One(record) => match ask(target, by, Command::Record(record.id))? {
            Reply::Record(Some(now)) => (Some(now), Vec::new()),
            _ => (Some(Arc::clone(record)), Vec::new()),
        },
        What::All(query, newest) => {
            let matching = Command::Matching { query: Box::new(query.clone()), newest: *newest };
            match ask(target, by, matching)? {
                Reply::Matching(ids) => (None, ids),
                _ => (None, Vec::new()),
            }
        }
    };
    let mut done = 0;
    let mut piece = one.into_iter().collect::<Vec<_>>().into_iter();
    Ok(std::iter::from_fn(move || {
        loop {
            if let Some(record) = piece.next() {
                return Some(Ok(record));
            }
            if done >= ids.len() {
                return None;
            }
            match pages::some(target, by, &ids[done..]) {
                Ok((records, more)) => (piece, done) = (records.into_iter(), done + more),
                Err(error) => {
                    done = ids.len();
                    return Some(Err(error));
                }
            }
        }
    }))
}

/// Writes records of `source` to the file of `save`.
pub fn save(
    save: &Save,
    source: &Source,
    records: impl Iterator<Item = Result<Arc<Record>, ControlError>>,
) -> Result<Saved, Unsaved> {
    let path = PathBuf::from(OsStr::from_bytes(&save.path));
    let why = |what: &str, e: &io::Error| Unsaved::Failed(format!("{what}: {}; {}", cause(e), advice(e)));
    let name = path.file_name().ok_or_else(|| Unsaved::Failed("the path has no file name: add one".into()))?;
    may_be_written(&path, save.over.as_ref())?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut temporary = Temporary::new(&folder, name)
        .map_err(|e| why(&format!("cannot create a file in `{}`", screen(folder.as_os_str().as_bytes())), &e))?;
    let shown = screen(path.as_os_str().as_bytes());
    let (records, bytes) =
        write(records, source, &mut temporary.file).map_err(|e| why(&format!("`{shown}` was not written"), &e))?;
    // Checked again: the file may have changed meanwhile.
    may_be_written(&path, save.over.as_ref())?;
    match put(&temporary.path, &path, save.over.is_some()) {
        Ok(()) => temporary.path.clear(),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            may_be_written(&path, None)?;
            return Err(why(&format!("`{shown}` was not written"), &e));
        }
        Err(e) => return Err(why(&format!("`{shown}` was not written"), &e)),
    }
    // Flushes the name to the disk too. If the folder cannot be synced, the file exists nevertheless.
    let _ = File::open(&folder).and_then(|folder| folder.sync_all());
    let path = fs::canonicalize(&path).map_or(shown, |whole| screen(whole.as_os_str().as_bytes()));
    Ok(Saved { path, records, bytes })
}

/// Checks that the path does not exist, or is the file that may be replaced.
fn may_be_written(path: &Path, over: Option<&Overwrite>) -> Result<(), Unsaved> {
    let shown = screen(path.as_os_str().as_bytes());
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Unsaved::Failed(format!("`{shown}`: {}; {}", cause(&e), advice(&e)))),
    };
    if !meta.is_file() {
        let what = if meta.is_symlink() { "a symbolic link" } else { "not a regular file" };
        return Err(Unsaved::Failed(format!("`{shown}` is {what}: name the file itself, or another one")));
    }
    let existing = Existing::new(&meta);
    match over {
        Some(yes) if yes.allows(&existing) => Ok(()),
        _ => Err(Unsaved::Exists(existing)),
    }
}

/// Writes the records. Returns the number of records and bytes.
fn write(
    records: impl Iterator<Item = Result<Arc<Record>, ControlError>>,
    source: &Source,
    file: &mut File,
) -> io::Result<(u64, u64)> {
    let mut out = Counted { to: BufWriter::new(file), bytes: 0 };
    let mut count = 0;
    for record in records {
        let record = record.map_err(|error| io::Error::other(error.whole()))?;
        out.write_all(&serde_json::to_vec(&Entry::of(&record, source))?)?;
        out.write_all(b"\n")?;
        count += 1;
    }
    out.flush()?;
    out.to.get_ref().sync_all()?;
    Ok((count, out.bytes))
}

/// Renames the file; without `replace` only if the new name does not exist.
fn put(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system supports the flag.
        Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        done => done.map_err(Into::into),
    }
}

/// A temporary file in the same folder; it is removed on drop unless it was renamed.
struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    fn new(folder: &Path, name: &OsStr) -> io::Result<Self> {
        // A file name has at most 255 bytes, including the suffix that is added here.
        let short = &name.as_bytes()[..name.len().min(200)];
        let mut attempt = 0u32;
        loop {
            let mut own = b".".to_vec();
            own.extend_from_slice(short);
            own.extend_from_slice(format!(".{}-{attempt}.tmp", std::process::id()).as_bytes());
            let path = folder.join(OsStr::from_bytes(&own));
            match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
                Ok(file) => return Ok(Self { file, path }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
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
        None => screen(io_words(e).as_bytes()),
    }
}

fn advice(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::NotFound => "the folder does not exist: create it, or name another one",
        io::ErrorKind::PermissionDenied => "this user may not write there: name another folder",
        io::ErrorKind::NotADirectory => "a part of the path is not a folder: check the path",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space, or name a file on another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: name a file on another one",
        io::ErrorKind::Other => "the records could not be read",
        io::ErrorKind::InvalidFilename => "the name is too long: give a shorter one",
        _ => "name another file",
    }
}
