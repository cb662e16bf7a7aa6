//! Why a value cannot be read.

use std::fmt::{self, Display};

use serde::de::{self, Error as _, Unexpected};
use serde_json::Value;

/// Why a value is not of the wanted type.
#[derive(Debug)]
pub struct Fault(Box<str>);

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(what: T) -> Self {
        Self(what.to_string().into())
    }
}

impl Fault {
    #[cold]
    #[inline(never)]
    pub(super) fn too_long(length: usize) -> Self {
        Self::custom(format_args!("a list of {length} values is too long"))
    }
}

/// What a value is, for the text of a fault.
pub(super) fn found(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Other("null"),
        Value::Bool(it) => Unexpected::Bool(*it),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(n), _) => Unexpected::Unsigned(n),
            (None, Some(n)) => Unexpected::Signed(n),
            (None, None) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}
