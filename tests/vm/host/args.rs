//! The arguments.

use std::ffi::OsString;

pub const HELP: &str = "\
Held against a real kernel: cargo test --test vm [-- ARGUMENTS]
  (nothing)           every scenario on every kernel, the table, the costs; fails on a difference in a compared field
                      (docs/deviations.md lists them) that is not declared
  mutations           engines with one mistake each (needs RUSTFLAGS='--cfg khelper_mutations'): each must be noticed
  cost                the costs alone (with `cargo test --release` those of an optimised build)
  --kernel SERIES     only this one (6.1, 6.12); may be repeated
  --only PATTERN      only scenarios of this name; `*` stands for anything
  --mutation NAME     with this mistake made
  --all-rows          the rows that are the same too
  --console           the machine's console to stderr
Kernels are fetched by apt, as root, into $KHELPER_VM_CACHE or ~/.cache/khelper-vm. Exit code 69: something is missing.
";

#[derive(Debug, PartialEq, Eq)]
pub enum What {
    Compare,
    Mutations,
    Cost,
    Help,
}

#[derive(Debug)]
pub struct Args {
    pub what: What,
    pub kernels: Vec<String>,
    pub only: String,
    pub mutation: Option<String>,
    pub all_rows: bool,
    pub console: bool,
}

impl Args {
    pub fn read(args: &[OsString]) -> Result<Self, String> {
        let mut read = Self {
            what: What::Compare,
            kernels: Vec::new(),
            only: "*".into(),
            mutation: None,
            all_rows: false,
            console: false,
        };
        let mut args = args.iter().map(|a| a.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{HELP}"));
            match arg.as_str() {
                "mutations" => read.what = What::Mutations,
                "cost" => read.what = What::Cost,
                "--help" | "-h" => read.what = What::Help,
                "--kernel" => read.kernels.push(value()?),
                "--only" => read.only = value()?,
                "--mutation" => read.mutation = Some(value()?),
                "--all-rows" => read.all_rows = true,
                "--console" => read.console = true,
                other => return Err(format!("no argument is called {other}\n{HELP}")),
            }
        }
        Ok(read)
    }

    /// Whether everything is compared, so that a deviation that nobody saw is stale.
    pub fn whole(&self) -> bool {
        self.only == "*" && self.kernels.is_empty() && self.mutation.is_none()
    }
}
