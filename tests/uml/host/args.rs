//! The arguments.

pub const HELP: &str = "\
The watch on kernels of the tests' own: cargo test --test uml [-- ARGUMENTS]
  (nothing)           every test in user-mode Linux, which tests/uml/build makes once; skipped if it is not there
  WORD                only tests whose name has this word
  --vm                in virtual machines with Debian's kernels instead (fetched by apt, as root, as by tests/vm)
  --kernel SERIES     with --vm: only this one, 6.1, 6.12, or one that only other suites of Debian have: 5.10, newest;
                      may be repeated
  --boots N           N boots with the shim in force and one fault each, the faults in turn; with --vm too
  --record FOLDER     no test: a recording of each kernel into this folder, for the tests of src/kernel/join
  --console           also what the kernel says, to stderr
  --list              the names of the tests
$KHELPER_UML names the folder of the kernel; else it is the folder `uml` of the build folder.
";

#[derive(Debug, Default)]
pub struct Args {
    pub vm: bool,
    pub help: bool,
    pub list: bool,
    pub console: bool,
    pub kernels: Vec<String>,
    pub record: Option<String>,
    pub boots: Option<usize>,
    exact: bool,
    ignored: bool,
    words: Vec<String>,
}

impl Args {
    pub fn read(args: Vec<String>) -> Result<Self, String> {
        let mut read = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n{HELP}"));
            match arg.as_str() {
                "--vm" => read.vm = true,
                "--help" | "-h" => read.help = true,
                "--list" => read.list = true,
                "--console" => read.console = true,
                "--kernel" => read.kernels.push(value()?),
                "--record" => read.record = Some(value()?),
                "--boots" => {
                    let count = value()?;
                    read.boots = Some(count.parse().map_err(|_| format!("{count} is no number of boots"))?);
                }
                // What `cargo test -- ..` gives to the other tests too.
                "--nocapture" | "--quiet" | "--test-threads=1" => {}
                "--exact" => read.exact = true,
                // No test is.
                "--ignored" => read.ignored = true,
                option if option.starts_with('-') => return Err(format!("no argument is called {option}\n{HELP}")),
                _ => read.words.push(arg),
            }
        }
        Ok(read)
    }

    pub fn wants(&self, name: &str) -> bool {
        let fits = |word: &String| if self.exact { name == word } else { name.contains(word.as_str()) };
        !self.ignored && (self.words.is_empty() || self.words.iter().any(fits))
    }
}
