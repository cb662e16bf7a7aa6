//! `khelper shim`: the program that asks for a verdict, in the place of the kernel's modprobe.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::abi::actor::Origin;
use crate::abi::error::ControlError;
use crate::abi::escape::screen;
use crate::control::actor;
use crate::control::kernel_knobs::Recorder;
use crate::control::shim::{
    Presence, Refreshed, Removed, SOCKET, Shim as Machine, Status, Wanted, refreshed, removed, status,
};
use crate::control::text::change::remarks;

use super::exit::Verdict;
use super::output::{Answers, complain, say};

/// `shim`.
#[derive(Debug, clap::Args)]
pub struct Shim {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Write the shim and set kernel.modprobe to it; an installed shim is replaced
    Install {
        /// The daemon's socket for verdicts
        #[arg(long, value_name = "PATH", default_value = SOCKET)]
        socket: PathBuf,
        /// Run no helper where no daemon is; without this every helper runs then
        #[arg(long)]
        fail_closed: bool,
        /// Keep kernel.modprobe for the next start of the machine, too
        #[arg(long)]
        persist: bool,
        /// Replace an installed shim by this khelper's, with the settings that it has; do nothing where none is installed,
        /// or a newer one (exit code 1)
        #[arg(long, conflicts_with_all = ["socket", "fail_closed", "persist"])]
        refresh: bool,
    },
    /// Put kernel.modprobe back, if it still names the shim, and remove the shim
    Uninstall,
    /// Show whether module requests pass the shim; exit code 1 if they do not
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Performs it on this machine. Changes of the knob go to `record`. Returns the exit code.
pub fn shim(args: &Shim, record: Recorder) -> u8 {
    let (machine, answers) = (Machine::new(actor(Origin::CommandLine), record), Answers::default());
    let done = match &args.act {
        Act::Install { refresh: true, .. } => machine.refresh().map(|became| {
            answers.line(&refreshed(became));
            u8::from(matches!(became, Refreshed::Newer(_) | Refreshed::Foreign))
        }),
        Act::Install { socket, fail_closed, persist, .. } => {
            let wanted = Wanted { socket: socket.clone(), fails_closed: *fail_closed, persist: *persist };
            install(&machine, &answers, &wanted)
        }
        Act::Uninstall => {
            let mut did = Removed::default();
            let done = machine.uninstall(&mut did);
            did.restored.iter().flat_map(|change| remarks(change, machine.known())).for_each(|line| say(&line));
            removed(&did, done.is_ok()).iter().for_each(|line| answers.line(line));
            done.map(|()| 0)
        }
        Act::Status { json } => machine.status().map(|found| {
            match json {
                true => answers.line(&object(&found)),
                false => status(&found).iter().for_each(|line| answers.line(line)),
            }
            u8::from(!found.is_in_force())
        }),
    };
    match done {
        Ok(code) => answers.code(code),
        Err(error) => {
            complain(&error);
            Verdict::of_error(&error).code()
        }
    }
}

fn install(machine: &Machine, answers: &Answers, wanted: &Wanted) -> Result<u8, ControlError> {
    let newer = machine.newer()?;
    let changes = machine.install(wanted)?;
    if let Some(of) = newer {
        say(&format!("the shim of khelper {of}, which is newer than this one, is replaced"));
    }
    changes.iter().flat_map(|change| remarks(change, machine.known())).for_each(|line| say(&line));
    status(&machine.status()?).iter().for_each(|line| answers.line(line));
    Ok(0)
}

fn object(status: &Status) -> String {
    let mut object = Map::new();
    let text = |bytes: &[u8]| Value::from(screen(bytes).to_string());
    object.insert("v".into(), json!(1));
    object.insert("target".into(), json!("kernel"));
    object.insert("in_force".into(), json!(status.is_in_force()));
    object.insert("modprobe".into(), text(&status.modprobe));
    object.insert("shim".into(), text(&status.own));
    object.insert("installed".into(), json!(status.installed.is_some()));
    if let Some(what) = &status.other {
        object.insert("in_its_place".into(), json!(what));
    }
    if let Some((settings, is_current)) = &status.installed {
        object.insert("current".into(), json!(is_current));
        object.insert("release".into(), json!(settings.release.to_string()));
        object.insert("stands_before".into(), text(&settings.modprobe));
        object.insert("socket".into(), text(&settings.socket));
        let is = |of: &[Presence]| status.daemon.filter(|at| *at != Presence::Hidden).map(|at| of.contains(&at));
        object.insert("listens".into(), json!(is(&[Presence::Alive, Presence::Silent])));
        object.insert("answers".into(), json!(is(&[Presence::Alive])));
        object.insert("fails_closed".into(), json!(settings.fails_closed));
        object.insert("patience_ms".into(), json!(settings.patience));
    }
    Value::Object(object).to_string()
}
