//! A reader of Varlink's interface definitions, and a check of values against them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::wire::interface::DEFINITION;

#[derive(Clone, Debug)]
enum Type {
    Bool,
    Int,
    Text,
    Named(String),
    Enum(Vec<String>),
    Struct(Vec<(String, Type)>),
    List(Box<Type>),
    Maybe(Box<Type>),
}

pub struct Schema {
    /// Types by name; the parameters of `Get call`, `Get answer`, `Denied error`.
    types: BTreeMap<String, Type>,
    methods: Vec<String>,
    text: &'static str,
}

struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        for line in text.lines() {
            let mut rest = line.split('#').next().unwrap().trim_start();
            while !rest.is_empty() {
                let word =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
                let length = match word {
                    0 if rest.starts_with("->") || rest.starts_with("[]") => 2,
                    0 => 1,
                    word => word,
                };
                tokens.push(&rest[..length]);
                rest = rest[length..].trim_start();
            }
        }
        Self { tokens, at: 0 }
    }

    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }
    fn next(&mut self) -> &'a str {
        self.at += 1;
        self.tokens[self.at - 1]
    }
    fn expect(&mut self, token: &str) {
        assert_eq!(self.next(), token, "at token {}", self.at);
    }

    fn element(&mut self) -> Type {
        match self.next() {
            "?" => Type::Maybe(Box::new(self.element())),
            "[]" => Type::List(Box::new(self.element())),
            "bool" => Type::Bool,
            "int" => Type::Int,
            "string" => Type::Text,
            "(" => self.members(),
            name => {
                assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "a type: {name}");
                Type::Named(name.to_owned())
            }
        }
    }

    /// The members of a struct or an enum, after the `(`.
    fn members(&mut self) -> Type {
        let (mut fields, mut names) = (Vec::new(), Vec::new());
        while self.peek() != ")" {
            let name = self.next().to_owned();
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "a field: {name}");
            assert!(!name.ends_with('_') && !name.contains("__") && !name.contains('.'), "a field: {name}");
            if self.peek() == ":" {
                self.next();
                let field = self.element();
                fields.push((name, field));
            } else {
                names.push(name);
            }
            if self.peek() == "," {
                self.next();
            } else {
                assert_eq!(self.peek(), ")");
            }
        }
        self.next();
        assert!(fields.is_empty() || names.is_empty(), "a struct or an enum");
        if names.is_empty() { Type::Struct(fields) } else { Type::Enum(names) }
    }
}

impl Schema {
    pub fn control() -> Self {
        Self::parse(DEFINITION)
    }

    pub fn parse(text: &'static str) -> Self {
        let mut reader = Reader::new(text);
        reader.expect("interface");
        reader.next();
        let mut schema = Self { types: BTreeMap::new(), methods: Vec::new(), text };
        let mut members = std::collections::BTreeSet::new();
        while reader.at < reader.tokens.len() {
            let (what, name) = (reader.next(), reader.next().to_owned());
            assert!(members.insert(name.clone()), "{name} is defined twice");
            reader.expect("(");
            let first = reader.members();
            match what {
                "type" => _ = schema.types.insert(name, first),
                "error" => _ = schema.types.insert(format!("{name} error"), first),
                "method" => {
                    reader.expect("->");
                    reader.expect("(");
                    let answer = reader.members();
                    schema.types.insert(format!("{name} call"), first);
                    schema.types.insert(format!("{name} answer"), answer);
                    schema.methods.push(name);
                }
                other => panic!("{other}"),
            }
        }
        schema
    }

    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(String::as_str)
    }

    /// The comment above a method.
    pub fn doc(&self, method: &str) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(&format!("method {method}("))).unwrap();
        let from = lines[..at].iter().rposition(|line| !line.starts_with('#')).map_or(0, |at| at + 1);
        lines[from..at].join("\n")
    }

    /// Every type that is named exists, and every type is used.
    pub fn check_references(&self) {
        fn names<'a>(of: &'a Type, out: &mut Vec<&'a str>) {
            match of {
                Type::Named(name) => out.push(name),
                Type::List(inner) | Type::Maybe(inner) => names(inner, out),
                Type::Struct(fields) => fields.iter().for_each(|(_, field)| names(field, out)),
                _ => {}
            }
        }
        let mut used = Vec::new();
        self.types.values().for_each(|of| names(of, &mut used));
        for name in &used {
            assert!(self.types.contains_key(*name), "the type {name} is not defined");
        }
        for name in self.types.keys().filter(|name| !name.contains(' ')) {
            assert!(used.contains(&name.as_str()), "the type {name} is not used");
        }
    }

    /// Checks that a value has a type: no field is missing or undeclared.
    pub fn check(&self, name: &str, value: &Value) {
        let of = self.types.get(name).unwrap_or_else(|| panic!("{name} is not declared"));
        if let Err(fault) = self.fits(of, value) {
            panic!("{name}{fault}: {value}");
        }
    }

    fn fits(&self, of: &Type, value: &Value) -> Result<(), String> {
        let is = |fits: bool| if fits { Ok(()) } else { Err(format!(" is not {of:?}: {value}")) };
        match (of, value) {
            (Type::Maybe(_), Value::Null) => Ok(()),
            (Type::Maybe(inner), value) => self.fits(inner, value),
            (Type::Named(name), value) => self.fits(&self.types[name], value),
            (Type::List(inner), Value::Array(items)) => items.iter().try_for_each(|item| self.fits(inner, item)),
            (Type::Enum(names), Value::String(name)) => is(names.contains(name)),
            (Type::Struct(fields), Value::Object(members)) => {
                if let Some(extra) = members.keys().find(|name| !fields.iter().any(|(own, _)| own == *name)) {
                    return Err(format!(" has the undeclared field {extra}"));
                }
                let all_optional = fields.len() > 1 && fields.iter().all(|(_, of)| matches!(of, Type::Maybe(_)));
                if all_optional && members.is_empty() {
                    return Ok(());
                }
                fields.iter().try_for_each(|(name, of)| {
                    let inner = self.fits(of, members.get(name).unwrap_or(&Value::Null));
                    inner.map_err(|fault| format!(".{name}{fault}"))
                })
            }
            (Type::Bool, Value::Bool(_)) | (Type::Text, Value::String(_)) => Ok(()),
            (Type::Int, Value::Number(number)) => is(number.is_i64()),
            _ => is(false),
        }
    }
}
