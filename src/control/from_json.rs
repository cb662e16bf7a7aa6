//! Reads the crate's types from JSON in one way only: a tree of JSON values, and of each type the one form that the
//! crate writes. serde_json's own reader also accepts a list of values for a structure, a number for the name of a
//! field and more; code for that would be made for each of a hundred types, and was a tenth of the program.

use std::fmt::{self, Display};

use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_json::Value;
use serde_json::map::Iter as Members;

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

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    /// The value is not what the type expects.
    #[cold]
    #[inline(never)]
    fn wrong(self, expected: &dyn de::Expected) -> Fault {
        let found = match self.0 {
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
        };
        Fault::invalid_type(found, expected)
    }
}

/// Whole numbers: what is below 0 goes to `visit_i64`, the rest to `visit_u64`. The visitors check the range.
macro_rules! whole_numbers {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0.as_u64() {
                Some(n) => visitor.visit_u64(n),
                None => match self.0.as_i64() {
                    Some(n) => visitor.visit_i64(n),
                    None => Err(self.wrong(&visitor)),
                },
            }
        }
    )* };
}

macro_rules! same {
    ($to:ident: $($method:ident)*) => { $(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$to(visitor)
        }
    )* };
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Fault;

    whole_numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    whole_numbers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);
    same!(deserialize_f64: deserialize_f32);
    same!(deserialize_str: deserialize_string deserialize_char deserialize_identifier);
    same!(deserialize_seq: deserialize_bytes deserialize_byte_buf);

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(it) => visitor.visit_bool(*it),
            Value::Number(number) if number.is_f64() => self.deserialize_f64(visitor),
            Value::Number(_) => self.deserialize_u64(visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Bool(it) => visitor.visit_bool(*it),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.as_f64() {
            Some(n) => visitor.visit_f64(n),
            None => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_str(text),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Array(items) = self.0 else { return Err(self.wrong(&visitor)) };
        let mut rest = Items(items.iter());
        let value = visitor.visit_seq(&mut rest)?;
        match rest.0.len() {
            0 => Ok(value),
            _ => Err(too_long(items.len())),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Object(members) => visitor.visit_map(Fields { rest: members.iter(), value: None }),
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match variant(self.0) {
            Some(variant) => visitor.visit_enum(variant),
            None => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

#[cold]
#[inline(never)]
fn too_long(length: usize) -> Fault {
    Fault::custom(format_args!("a list of {length} values is too long"))
}

struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'a> SeqAccess<'a> for &mut Items<'a> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.0.next() {
            Some(item) => seed.deserialize(Reader(item)).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'a> {
    rest: Members<'a>,
    value: Option<&'a Value>,
}

impl<'a> MapAccess<'a> for Fields<'a> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.rest.next() {
            Some((key, value)) => {
                self.value = Some(value);
                seed.deserialize(Key(key)).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        // serde asks for the value after its key.
        seed.deserialize(Reader(self.value.unwrap_or(&Value::Null)))
    }
}

/// The key of a member: a name, or a number in quotes.
struct Key<'a>(&'a str);

macro_rules! numbers_in_quotes {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.0.parse() {
                Ok(n) => visitor.visit_u64(n),
                Err(_) => Err(Fault::invalid_type(Unexpected::Str(self.0), &visitor)),
            }
        }
    )* };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    numbers_in_quotes!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant of an enum: its name, and its value if it has one.
struct Variant<'a> {
    name: &'a str,
    value: Option<&'a Value>,
}

/// A name, or an object whose only member is a name and a value.
fn variant(value: &Value) -> Option<Variant<'_>> {
    match value {
        Value::String(name) => Some(Variant { name, value: None }),
        Value::Object(members) if members.len() == 1 => {
            members.iter().next().map(|(name, value)| Variant { name, value: Some(value) })
        }
        _ => None,
    }
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name: StrDeserializer<'a, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> Variant<'a> {
    fn value(&self) -> Result<Reader<'a>, Fault> {
        self.value.map(Reader).ok_or_else(|| Fault::invalid_type(Unexpected::UnitVariant, &"a variant with a value"))
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.value {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(Fault::invalid_type(Unexpected::NewtypeVariant, &"a variant without a value")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'a>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.value()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.value()?.deserialize_map(visitor)
    }
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
