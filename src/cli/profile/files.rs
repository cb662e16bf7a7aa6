//! `khelper profile list | show | check`: looks at the files of profiles. No engine is started.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::control::profiles::{Folders, Profiles, from_path, json, text};
use crate::control::rules::text::counted;
use crate::policy::profile::remarks;
use crate::policy::rules::Source;

use super::{Profile, Verb};
use crate::cli::exit::Verdict;
use crate::cli::output::{Answers, complain, say};

/// Where the profiles are.
#[derive(Debug, clap::Args)]
struct Place {
    /// The daemon's configuration folder, with the profiles in its folder profiles.d; by default those of the system:
    /// profiles.d in /etc/khelper.d, /run/khelper.d and /usr/lib/khelper.d
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// `profile list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    place: Place,
}

/// `profile show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    place: Place,
    /// The name of a profile: that of its file, without .profile
    #[arg(value_name = "PROFILE")]
    name: String,
}

/// `profile check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    place: Place,
    /// Files of profiles, or folders of files *.profile; by default those of the system, and khelper's own
    #[arg(value_name = "FILE", conflicts_with = "config")]
    paths: Vec<PathBuf>,
}

/// Looks at files. Returns the exit code; `None` if the command runs something.
pub fn look(profile: &Profile) -> Option<u8> {
    let answers = Answers::default();
    let done = match &profile.verb {
        Verb::List(args) => list(args, &answers),
        Verb::Show(args) => show(args, &answers),
        Verb::Check(args) => check(args, &answers),
        Verb::Find(_) => return None,
    };
    Some(answers.code(done.unwrap_or_else(|code| code)))
}

fn failed(error: &ControlError) -> u8 {
    complain(error);
    Verdict::of_error(error).code()
}

impl Place {
    fn profiles(&self) -> Result<Profiles, u8> {
        let only = |folder: &PathBuf| Folders::only(folder.join("profiles.d"));
        self.config.as_ref().map_or_else(Folders::default, only).profiles().map_err(|error| failed(&error))
    }

    /// Prints the faults, on stdout as JSON, else on stderr. Returns 1 if there is one.
    fn faults(&self, profiles: &Profiles, answers: &Answers) -> u8 {
        for fault in &profiles.faults {
            match self.json {
                true => answers.line(&json::fault(fault).to_string()),
                false => complain(fault),
            }
        }
        u8::from(!profiles.faults.is_empty())
    }
}

fn list(args: &List, answers: &Answers) -> Result<u8, u8> {
    let profiles = args.place.profiles()?;
    for profile in &profiles.all {
        match args.place.json {
            true => answers.line(&json::profile(profile).to_string()),
            false => answers.line(&text::listed(profile)),
        }
    }
    Ok(args.place.faults(&profiles, answers))
}

fn show(args: &Show, answers: &Answers) -> Result<u8, u8> {
    let profiles = args.place.profiles()?;
    let Some(profile) = profiles.get(&args.name) else {
        // Why it is not there may be a fault of its own file.
        let (file, mut own) = (format!("/{}.profile", args.name), Profiles::default());
        own.faults = profiles.faults.into_iter().filter(|fault| fault.at.file.ends_with(&file)).collect();
        if args.place.faults(&own, answers) == 0 {
            complain(&missing(&args.name, &profiles.all.iter().map(|profile| &*profile.name).collect::<Vec<_>>()));
        }
        return Ok(1);
    };
    match args.place.json {
        true => answers.line(&json::profile(profile).to_string()),
        false => {
            text::shown(profile).iter().for_each(|line| answers.line(line));
            remarks(profile).iter().for_each(|remark| answers.line(&format!("remark          {remark}")));
        }
    }
    Ok(0)
}

fn missing(name: &str, names: &[&str]) -> ControlError {
    let why = format!("there is no profile `{}`", screen(name.as_bytes()));
    let error = ParseError::invalid(why, format!("the profiles are {}", names.join(", ")));
    ControlError::Value { key: "profile".to_owned(), error }
}

fn check(args: &Check, answers: &Answers) -> Result<u8, u8> {
    let profiles = if args.paths.is_empty() {
        args.place.profiles()?
    } else {
        let mut all: Vec<Source> = Vec::new();
        for path in &args.paths {
            let files = from_path(path).map_err(|error| failed(&error))?;
            if files.is_empty() {
                say(&format!("{}: the folder has no file *.profile", screen(path.as_os_str().as_bytes())));
            }
            all.extend(files);
        }
        Profiles::parse(&all)
    };
    for profile in &profiles.all {
        for remark in remarks(profile) {
            match args.place.json {
                true => answers.line(&json::remark(profile, &remark).to_string()),
                false => answers.line(&text::remark(profile, &remark)),
            }
        }
    }
    let code = args.place.faults(&profiles, answers);
    if code == 0 && !args.place.json {
        answers.line(&format!("{}, no fault", counted(profiles.all.len(), "profile")));
    }
    Ok(code)
}
