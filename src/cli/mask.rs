//! `khelper mask`: masks in every form, without an engine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::escape::{json, screen};
use crate::abi::mask::{MaskExpr, every_form, hex, kernel_words, libcap, systemd};
use crate::control::text::outcome::MASKS_AND_ROOT;

use super::args::Mask;
use super::exit::Verdict;
use super::output::{Answers, complain};

/// One mask. Changes (`-cap_x`) are of the full mask, there being no live one.
#[derive(Serialize)]
struct Forms {
    mask: String,
    words: String,
    hex: String,
    names: Vec<String>,
    without: Vec<String>,
    systemd: String,
    libcap: String,
}

impl Forms {
    fn of(text: &OsStr, mask: CapMask, known: CapMask) -> Self {
        let list = |mask: CapMask| mask.iter().map(|cap| cap.name()).collect();
        Self {
            mask: json(text.as_bytes()),
            words: kernel_words(mask),
            hex: hex(mask),
            names: list(mask),
            without: list(known.minus(mask)),
            systemd: systemd(mask, known),
            libcap: libcap(mask, known),
        }
    }
}

/// Prints every mask, and what masks do not do; one that is malformed is reported, and the others are still shown.
pub fn mask(args: &Mask, known: CapMask, answers: &Answers) -> Verdict {
    let (mut verdict, mut shown) = (Verdict::Own(0), false);
    for text in &args.masks {
        match MaskExpr::parse(text.as_bytes(), known) {
            Ok(expr) => {
                show(args, text, expr.resolve(known, known), known, answers);
                shown = true;
            }
            Err(error) => {
                complain(&error);
                verdict = verdict.and(Verdict::Usage);
            }
        }
    }
    if shown && !args.json {
        answers.line(&format!("note: {MASKS_AND_ROOT}"));
    }
    verdict
}

fn show(args: &Mask, text: &OsStr, mask: CapMask, known: CapMask, answers: &Answers) {
    let forms = Forms::of(text, mask, known);
    if args.json {
        // Strings and lists of strings: nothing in it can fail to be JSON.
        answers.line(&serde_json::to_string(&forms).unwrap_or_default());
        return;
    }
    answers.line(&screen(text.as_bytes()));
    for (name, value) in every_form(mask, known) {
        answers.line(&format!("  {name:<8} {value}"));
    }
}
