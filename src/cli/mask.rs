//! `khelper mask`: prints masks in every form, without an engine.

use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::escape::json;
use crate::abi::mask::{hex, kernel_words, libcap, systemd};
use crate::control::record_json::V;
use crate::control::text::outcome::MASKS_AND_ROOT;
use crate::verbs::perform::{Masks, NamedMask};

use super::exit::Verdict;
use super::output::{Answers, complain};

/// One mask. Changes (`-cap_x`) apply to the full mask, since there is no live one.
#[derive(Serialize)]
struct Forms {
    v: u8,
    mask: String,
    words: String,
    hex: String,
    names: Vec<String>,
    without: Vec<String>,
    systemd: String,
    libcap: String,
}

impl Forms {
    fn of(NamedMask { text, mask }: &NamedMask, known: CapMask) -> Self {
        let mask = *mask;
        let list = |mask: CapMask| mask.iter().map(|cap| cap.name()).collect();
        Self {
            v: V,
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

/// Prints every mask, then [`MASKS_AND_ROOT`]. Reports a malformed mask and still prints the others.
pub(super) fn mask(masks: &Masks, as_json: bool, known: CapMask, answers: &Answers) -> Verdict {
    let (mut verdict, mut shown) = (Verdict::Own(0), false);
    for mask in &masks.0 {
        match mask {
            Ok(mask) => {
                shown = true;
                if as_json {
                    // `Forms` has only strings and lists of strings, which always serialize.
                    answers.line(&serde_json::to_string(&Forms::of(mask, known)).unwrap_or_default());
                } else {
                    mask.lines(known).iter().for_each(|line| answers.line(line));
                }
            }
            Err(error) => {
                complain(error);
                verdict = verdict.and(Verdict::Usage);
            }
        }
    }
    if shown && !as_json {
        answers.line(&format!("note: {MASKS_AND_ROOT}"));
    }
    verdict
}
