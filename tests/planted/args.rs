//! The command line of the runner.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
Plants one fault after another and shows which tests find it: cargo test --test planted [-- ARGUMENTS]
  (nothing)      every fault of tests/planted/faults.toml
  NAME...        only these faults, by name or by number: 18 or 18b
  --list         print the faults and their tests
  --check        plant nothing: check that every patch applies and that every test exists
  --dir DIR      work in DIR and keep it, so that the next run builds less; default: a temporary folder
Exit code 0: every fault made its tests fail, and without a fault every test passed; with --check: nothing is missing.
Exit code 1: otherwise.
";

/// What to do.
#[derive(Debug, Default)]
pub struct Args {
    /// Names or numbers of faults; empty means all.
    pub only: Vec<String>,
    /// Print the faults and run nothing.
    pub list: bool,
    /// Only check that every patch applies and that every test exists.
    pub check: bool,
    /// Print the help and run nothing.
    pub help: bool,
    /// The work folder, which is then kept.
    pub dir: Option<PathBuf>,
}

impl Args {
    /// Reads the arguments after the program's name. The error is a message for the user.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut read = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.to_string_lossy().as_ref() {
                "--list" => read.list = true,
                "--check" => read.check = true,
                "--help" | "-h" => read.help = true,
                "--dir" => read.dir = Some(args.next().ok_or("--dir needs a folder")?.into()),
                option if option.starts_with('-') => return Err(format!("unknown option {option}\n{HELP}")),
                name => read.only.push(name.to_owned()),
            }
        }
        Ok(read)
    }
}
