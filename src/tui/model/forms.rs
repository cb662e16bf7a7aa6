//! What was typed into the dialogs Module and Call; it is kept after they close.

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

/// An invalid field: its number and a message.
pub type Wrong = (usize, String);

/// The error and its advice.
pub fn say(error: &ParseError) -> String {
    format!("{error}: {}", error.advice())
}

/// A module request: name, wait or not, how many at once.
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
    /// The error.
    pub error: Option<String>,
}

impl Default for ModuleForm {
    fn default() -> Self {
        Self { focus: 0, name: Field::default(), wait: true, count: Field::new(b"1"), error: None }
    }
}

impl ModuleForm {
    /// The number of fields.
    pub const FIELDS: usize = 3;

    /// Gives the focus to the first field, and selects the old text of every field.
    pub fn open(&mut self) {
        (self.focus, self.error) = (0, None);
        self.name.select();
        self.count.select();
    }

    /// After a request the count is 1 again.
    pub fn used(&mut self) {
        (self.count, self.error) = (Field::new(b"1"), None);
    }

    /// The name and the count, if both are valid.
    pub fn check(&self) -> Result<(ModuleName, u32), Wrong> {
        let name = ModuleName::parse(self.name.bytes()).map_err(|e| (0, say(&e)))?;
        let digits = std::str::from_utf8(self.count.bytes()).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        let count = digits.and_then(|t| t.parse().ok()).filter(|n| (1..=AT_ONCE_MAX).contains(n));
        Ok((name, count.ok_or_else(|| (2, format!("how many at once: a number from 1 to {AT_ONCE_MAX}")))?))
    }
}

/// The wait modes, in the order of the dialog.
pub const WAITS: [WaitMode; 3] = [WaitMode::PROC, WaitMode::EXEC, WaitMode::NoWait];

/// A call of any helper.
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
    /// Narrower masks for this call only.
    pub masks: [Field; 2],
    /// The error.
    pub error: Option<String>,
}

impl CallForm {
    /// The number of fields.
    pub const FIELDS: usize = 5;

    /// Gives the focus to the first field, and selects the old text of every field.
    pub fn open(&mut self) {
        (self.focus, self.error) = (0, None);
        self.path.select();
        self.args.select();
        self.masks.iter_mut().for_each(Field::select);
    }

    /// The call, if every field is valid.
    pub fn check(&self, known: CapMask) -> Result<Call, Wrong> {
        let path = self.path.bytes();
        if path.is_empty() {
            return Err((0, "the path is missing: give the program's absolute path, from `/`".into()));
        }
        if !path.starts_with(b"/") {
            return Err((0, "the path is relative: give the absolute path, from `/`".into()));
        }
        if path.contains(&0) {
            return Err((0, "the path contains a NUL byte, which would end it".into()));
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
            profile: None,
        })
    }
}
