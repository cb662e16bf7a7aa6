//! The differences between the JSON of this crate's types and Varlink's types. A mask is a list of names and a hex
//! number instead of the number alone, so that a client needs no table of capabilities. The value of a knob that is a
//! number is a string, since it can exceed Varlink's integers, which have a sign. A default is an object without members.

use serde_json::{Map, Value};

use crate::abi::cap::{CapMask, Capability};
use crate::control::from_json;

/// Every field that is a mask, if its value is a string of the form `0x0`.
const MASKS: [&str; 11] = [
    "ambient",
    "bounding",
    "bset",
    "drop",
    "effective",
    "exactly",
    "inheritable",
    "keep",
    "known",
    "not_granted",
    "permitted",
];
/// The field that is a number in a string.
const NUMBER: &str = "number";
/// The field that has no members where the type has the variant `default`, which has none either.
const WHERE: &str = "where";

/// Converts everything in `value` to the types of the interface.
pub(super) fn outward(value: &mut Value) {
    walk(value, &|name, value| {
        if value.is_string() && MASKS.contains(&name) {
            if let Ok(mask) = from_json::read::<CapMask>(value) {
                *value = mask_object(mask);
            }
        } else if let (Value::Number(number), NUMBER) = (&*value, name) {
            *value = Value::String(number.to_string());
        } else if name == WHERE && *value == "default" {
            *value = Value::Object(Map::new());
        }
        Ok(())
    })
    // The function above always returns `Ok`.
    .unwrap_or_default();
}

/// Converts everything in `value` back. The error names the parameter that is wrong.
pub(super) fn inward(value: &mut Value) -> Result<(), String> {
    walk(value, &|name, value| {
        if let (Value::Object(mask), true) = (&*value, MASKS.contains(&name)) {
            // Without these members it is a change of a mask, whose own members are converted.
            if mask.contains_key("names") || mask.contains_key("hex") {
                *value = mask_text(mask).ok_or_else(|| name.to_owned())?;
            }
        } else if let (Value::String(number), NUMBER) = (&*value, name) {
            let parsed: u64 = number.parse().map_err(|_| name.to_owned())?;
            *value = parsed.into();
        } else if name == WHERE && value.as_object().is_some_and(Map::is_empty) {
            *value = "default".into();
        }
        Ok(())
    })
}

/// Calls `convert` for each member of each object, the outer ones first. A converted member is not searched.
fn walk(value: &mut Value, convert: &dyn Fn(&str, &mut Value) -> Result<(), String>) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, convert)),
        Value::Object(members) => members.iter_mut().try_for_each(|(name, member)| {
            let before = std::mem::discriminant(member);
            convert(name, member)?;
            if std::mem::discriminant(member) == before { walk(member, convert) } else { Ok(()) }
        }),
        _ => Ok(()),
    }
}

/// `{"names": ["cap_chown"], "hex": "0x0000000000000001"}`.
pub(super) fn mask_object(mask: CapMask) -> Value {
    let names = mask.iter().map(|cap| Value::String(cap.name())).collect();
    let hex = Value::String(format!("{:#018x}", mask.bits()));
    object([("names", Value::Array(names)), ("hex", hex)])
}

/// An object with these members.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut object = Map::new();
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// The mask of an object, as a hex number. Either member may be missing; if both are there, they must agree.
fn mask_text(object: &Map<String, Value>) -> Option<Value> {
    let names = match object.get("names") {
        None | Some(Value::Null) => None,
        Some(Value::Array(names)) => {
            Some(names.iter().map(|name| Capability::from_name(name.as_str()?)).collect::<Option<CapMask>>()?)
        }
        Some(_) => return None,
    };
    let hex = match object.get("hex") {
        None | Some(Value::Null) => None,
        Some(hex) => Some(from_json::read::<CapMask>(hex).ok()?),
    };
    let mask = match (names, hex) {
        (Some(names), Some(hex)) if names != hex => return None,
        (Some(mask), _) | (None, Some(mask)) => mask,
        (None, None) => return None,
    };
    Some(Value::String(format!("{:#018x}", mask.bits())))
}
