//! What was typed to ask for a module and to call a helper: it outlives the dialogs.

use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::error::{Explain, ParseError};
use crate::abi::mask::MaskExpr;
use crate::abi::module::ModuleName;
use crate::abi::wait::WaitMode;
use crate::control::Call;

use crate::tui::field::Field;

/// The most requests that one dialog submits.
pub const AT_ONCE_MAX: u32 = 200;

/// Something wrong with what was typed: the field, and a sentence.
pub type Wrong = (usize, String);

/// A sentence, and what to do.
pub fn say(error: &ParseError) -> String {
    format!("{error}: {}", error.advice())
}

/// Ask for a module: name, wait or not, how many at once.
#[derive(Clone, Debug)]
pub struct ModuleForm {
    /// The field under the cursor: 0 name, 1 wait, 2 how many.
    pub focus: usize,
    /// The name.
    pub name: Field,
    /// WAIT_PROC, else WAIT_EXEC.
    pub wait: bool,
    /// How many at once.
    pub count: Field,
    /// What was wrong.
    pub error: Option<String>,
}

impl Default for ModuleForm {
    fn default() -> Self {
        Self { focus: 0, name: Field::default(), wait: true, count: Field::new(b"1"), error: None }
    }
}

impl ModuleForm {
    /// How many fields.
    pub const FIELDS: usize = 3;

    /// Puts the focus on the first field and selects what every field holds from before.
    pub fn open(&mut self) {
        (self.focus, self.error) = (0, None);
        self.name.select();
        self.count.select();
    }

    /// After a request the count is 1 again.
    pub fn used(&mut self) {
        (self.count, self.error) = (Field::new(b"1"), None);
    }

    /// The name and how many times, if both mean something.
    pub fn check(&self) -> Result<(ModuleName, u32), Wrong> {
        let name = ModuleName::parse(self.name.bytes()).map_err(|e| (0, say(&e)))?;
        let digits = std::str::from_utf8(self.count.bytes()).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        let count = digits.and_then(|t| t.parse().ok()).filter(|n| (1..=AT_ONCE_MAX).contains(n));
        Ok((name, count.ok_or_else(|| (2, format!("how many at once: a number from 1 to {AT_ONCE_MAX}")))?))
    }
}

/// The wait modes, in the order of the dialog.
pub const WAITS: [WaitMode; 3] = [WaitMode::PROC, WaitMode::EXEC, WaitMode::NoWait];

/// Call any helper.
#[derive(Clone, Debug, Default)]
pub struct CallForm {
    /// The field under the cursor: 0 path, 1 arguments, 2 wait, 3 bset, 4 inheritable.
    pub focus: usize,
    /// The program, `argv[0]` too.
    pub path: Field,
    /// The arguments after `argv[0]`, in one line.
    pub args: Field,
    /// Which of [`WAITS`].
    pub wait: usize,
    /// Narrower masks for this call alone.
    pub masks: [Field; 2],
    /// What was wrong.
    pub error: Option<String>,
}

impl CallForm {
    /// How many fields.
    pub const FIELDS: usize = 5;

    /// Puts the focus on the first field and selects what every field holds from before.
    pub fn open(&mut self) {
        (self.focus, self.error) = (0, None);
        self.path.select();
        self.args.select();
        self.masks.iter_mut().for_each(Field::select);
    }

    /// The call, if every field means something.
    pub fn check(&self, known: CapMask) -> Result<Call, Wrong> {
        let path = self.path.bytes();
        if path.is_empty() {
            return Err((0, "the call has no path: give the program's whole path, from `/`".into()));
        }
        if !path.starts_with(b"/") {
            return Err((0, "the path is relative: give the whole path, from `/`".into()));
        }
        if path.contains(&0) {
            return Err((0, "the path holds a NUL byte: a C string ends there".into()));
        }
        let args = argv_text::split(self.args.bytes()).map_err(|why| (1, why))?;
        let mask = |at: usize| {
            let text = self.masks[at].bytes();
            if text.is_empty() {
                return Ok(None);
            }
            MaskExpr::parse(text, known).map(Some).map_err(|e| (3 + at, say(&e)))
        };
        Ok(Call {
            path: path.to_vec(),
            args,
            env: Vec::new(),
            wait: WAITS[self.wait % WAITS.len()],
            bset: mask(0)?,
            inheritable: mask(1)?,
            timeout: None,
        })
    }
}
