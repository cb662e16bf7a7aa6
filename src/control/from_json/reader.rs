//! A tree of JSON values, as a source of serde.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde_json::map::Iter;
use serde_json::{Map, Value};

use super::fault::{Fault, found};
use super::key::Key;

#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Value);

/// In place of a member that an object does not have. Only an `Option` can be read from it: `None`.
static MISSING: Value = Value::Null;

impl<'a> Reader<'a> {
    fn is_missing(self) -> bool {
        std::ptr::eq(self.0, &MISSING)
    }

    /// A structure, whose members are taken by their names in its own order; others are ignored. Its visitor reads them
    /// as a list: a third of the code that it takes to find out which member comes next, and which never came.
    fn structure<V: Visitor<'a>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let Value::Object(of) = self.0 else { return Err(self.wrong(&visitor)) };
        let mut members = Members { names: names.iter(), of, missing: None };
        visitor.visit_seq(&mut members).map_err(|fault| members.missing.map_or(fault, Fault::missing_field))
    }

    /// The value is not what the type expects.
    #[cold]
    #[inline(never)]
    fn wrong(self, expected: &dyn de::Expected) -> Fault {
        Fault::invalid_type(found(self.0), expected)
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

/// Methods that call another one and ignore their other arguments.
macro_rules! same {
    ($to:ident: $($method:ident($($told:ty),*))*) => { $(
        fn $method<V: Visitor<'a>>(self, $(_: $told,)* visitor: V) -> Result<V::Value, Fault> {
            self.$to(visitor)
        }
    )* };
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Fault;

    whole_numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    whole_numbers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);
    same!(deserialize_f64: deserialize_f32());
    same!(deserialize_str: deserialize_string() deserialize_char() deserialize_identifier());
    same!(deserialize_seq: deserialize_bytes() deserialize_byte_buf());
    same!(deserialize_seq: deserialize_tuple(usize) deserialize_tuple_struct(&'static str, usize));
    same!(deserialize_unit: deserialize_unit_struct(&'static str));

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null if self.is_missing() => Err(self.wrong(&visitor)),
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
            Value::Null if !self.is_missing() => visitor.visit_unit(),
            _ => Err(self.wrong(&visitor)),
        }
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
            _ => Err(Fault::too_long(items.len())),
        }
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
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.structure(names, visitor)
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

struct Members<'a> {
    names: std::slice::Iter<'static, &'static str>,
    of: &'a Map<String, Value>,
    /// The name that was looked for last, if it was not there and may not be.
    missing: Option<&'static str>,
}

impl<'a> Members<'a> {
    /// Not generic: there is one copy.
    fn next(&mut self) -> Option<(&'static str, Reader<'a>)> {
        self.missing = None;
        let name = *self.names.next()?;
        Some((name, Reader(self.of.get(name).unwrap_or(&MISSING))))
    }
}

impl<'a> SeqAccess<'a> for &mut Members<'a> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        let Some((name, value)) = self.next() else { return Ok(None) };
        match seed.deserialize(value) {
            Ok(value) => Ok(Some(value)),
            // The visitor takes the default, or gives up.
            Err(_) if value.is_missing() => {
                self.missing = Some(name);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
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
    rest: Iter<'a>,
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

    fn struct_variant<V: Visitor<'a>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.value()?.structure(names, visitor)
    }
}
