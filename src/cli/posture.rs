//! `khelper posture`: the knobs of this machine's kernel and the programs that it may execute on its own.

use clap::ValueEnum;

use crate::abi::sort::sort_by_key;
use crate::control::kernel_knobs::KernelKnobs;
use crate::control::posture_json;
use crate::control::text::posture::page;
use crate::policy::posture::{Finding, Level};

use super::output::Answers;

/// `posture`.
#[derive(Debug, clap::Args)]
pub struct Posture {
    /// Exit with code 1 if a part stands at this level or a worse one
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub fail_on: Option<AtLeast>,
    /// Print one JSON object per part, each on its own line
    #[arg(long)]
    pub json: bool,
}

/// A level that a script can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AtLeast {
    /// Something could not be read.
    Unknown,
    /// As most machines have it, and more than is needed.
    Low,
    /// It does not work as it should, or a group could take the machine over.
    Medium,
    /// Another user could take the machine over, or the next request harms it.
    High,
}

impl From<AtLeast> for Level {
    fn from(level: AtLeast) -> Self {
        match level {
            AtLeast::Unknown => Self::Unknown,
            AtLeast::Low => Self::Low,
            AtLeast::Medium => Self::Medium,
            AtLeast::High => Self::High,
        }
    }
}

/// Prints every part, the worst first. Returns the exit code.
pub fn posture(args: &Posture) -> u8 {
    let (knobs, answers) = (KernelKnobs::default(), Answers::default());
    let mut findings = knobs.posture();
    sort_by_key(&mut findings, |finding| std::cmp::Reverse(finding.level));
    match args.json {
        true => findings.iter().for_each(|finding| answers.line(&posture_json::line(finding))),
        false => page(&findings, knobs.known()).iter().for_each(|line| answers.line(line)),
    }
    answers.code(u8::from(args.fail_on.is_some_and(|level| reaches(&findings, level.into()))))
}

fn reaches(findings: &[Finding], level: Level) -> bool {
    findings.iter().any(|finding| finding.level >= level)
}
