//! Reads the crate's types from JSON in one way only: a tree of JSON values, and of each type the one form that the
//! crate writes. serde_json's own reader also accepts a list of values for a structure, a number for the name of a
//! field and more; code for that would be made for each of a hundred types, and was a tenth of the program.

mod fault;
mod key;
mod reader;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

pub use fault::Fault;
use reader::Reader;

/// The value of type `T` that `value` describes.
///
/// # Errors
/// What is missing, unknown or of another type.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Fault> {
    T::deserialize(Reader(value))
}

/// The value of type `T` in this JSON text.
///
/// # Errors
/// The text is not JSON, or not of this type.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    read(&tree(text)?)
}

/// The tree of this JSON text. Not inlined: there is one copy of the parser.
#[inline(never)]
pub fn tree(text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(Fault::custom)
}

/// The tree of a value, by way of its text: every type needs to be written in one way only. `None` for what JSON cannot
/// express.
pub fn value(of: &impl Serialize) -> Option<Value> {
    tree(&serde_json::to_vec(of).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
    struct Fields {
        small: u8,
        below: i64,
        half: f64,
        text: String,
        none: Option<bool>,
        pair: (u64, String),
        list: Vec<Kind>,
        map: BTreeMap<u32, Name>,
        unit: (),
    }

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Unit,
        New(Name),
        Two(u8, bool),
        Struct { a: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Name(String);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Defaults {
        #[serde(default = "seven")]
        seven: u8,
        #[serde(default)]
        list: Vec<u8>,
        #[serde(skip)]
        skipped: u8,
        none: Option<u8>,
        must: Value,
    }

    fn seven() -> u8 {
        7
    }

    #[test]
    fn a_missing_member_has_its_default_or_is_named() {
        let read = |text: &str| parse::<Defaults>(text.as_bytes()).map_err(|fault| fault.to_string());
        let wanted = Defaults { seven: 7, list: Vec::new(), skipped: 0, none: None, must: Value::Null };
        assert_eq!(read("{\"must\":null,\"skipped\":3,\"unknown\":[]}"), Ok(wanted));
        assert_eq!(read("{\"seven\":1,\"list\":[2]}"), Err("missing field `must`".to_owned()));
        assert_eq!(read("{\"list\":null,\"must\":1}"), Err("invalid type: null, expected a sequence".to_owned()));
        let wanted = Defaults { seven: 1, list: vec![2], skipped: 0, none: Some(3), must: 4.into() };
        assert_eq!(read("{\"none\":3,\"must\":4,\"seven\":1,\"list\":[2]}"), Ok(wanted));
    }

    #[test]
    fn what_was_written_is_read_back() {
        let fields = Fields {
            small: 255,
            below: i64::MIN,
            half: 0.5,
            text: "\u{1b}\"ü".to_owned(),
            none: None,
            pair: (u64::MAX, "x".to_owned()),
            list: vec![Kind::Unit, Kind::New(Name("n".to_owned())), Kind::Two(1, true), Kind::Struct { a: 3 }],
            map: BTreeMap::from([(7, Name("seven".to_owned()))]),
            unit: (),
        };
        let value = value(&fields).unwrap();
        assert_eq!(value, serde_json::to_value(&fields).unwrap());
        assert_eq!(read::<Fields>(&value).unwrap(), fields);
        assert_eq!(serde_json::from_value::<Fields>(value).unwrap(), fields);
    }

    #[test]
    fn another_form_is_refused_with_its_reason() {
        let why = |text: &str| parse::<Kind>(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(why("{\"struct\":{}}"), "missing field `a`");
        assert_eq!(why("{\"struct\":[3]}"), "invalid type: sequence, expected struct variant Kind::Struct");
        assert_eq!(why("{\"struct\":{\"a\":256}}"), "invalid value: integer `256`, expected u8");
        assert_eq!(why("{\"struct\":{\"a\":null}}"), "invalid type: null, expected u8");
        assert_eq!(why("{\"two\":[1,true,2]}"), "a list of 3 values is too long");
        assert!(why("{\"two\":[1]}").starts_with("invalid length 1"), "{}", why("{\"two\":[1]}"));
        assert!(why("\"other\"").starts_with("unknown variant `other`"));
        assert!(why("\"new\"").contains("expected a variant with a value"));
        assert!(why("{\"unit\":3}").contains("expected a variant without a value"));
        assert!(why("{\"unit\":null,\"new\":\"n\"}").starts_with("invalid type: map"));
        assert!(why("{\"unit\"").starts_with("EOF"));
        assert!(parse::<u8>(b"-1").is_err() && parse::<u8>(b"1.0").is_err() && parse::<i8>(b"-128").is_ok());
        assert!(parse::<BTreeMap<u32, u8>>(b"{\"x\":1}").is_err());
    }
}
