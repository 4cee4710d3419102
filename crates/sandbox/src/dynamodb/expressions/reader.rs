//! Reads expressions, by the grammar of DynamoDB.

use serde_json::Value;

use super::super::super::Refusal;
use super::super::invalid;
use super::{Change, Condition, NAMES, Names, Operand, Path, Step, VALUES};

/// Reads an expression word by word.
pub(super) struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    member: &'static str,
    names: &'a Names<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(
        text: &str,
        member: &'static str,
        names: &'a Names<'a>,
    ) -> Result<Self, Refusal> {
        let reader = Self { tokens: Vec::new(), at: 0, member, names };
        if text.trim().is_empty() {
            return Err(reader.refuse("The expression can not be empty;"));
        }
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = match first {
                '#' | ':' => 1 + rest[1..].find(|c| !word(c)).unwrap_or(rest.len() - 1),
                _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
                '<' | '>' if rest[1..].starts_with('=') || rest.starts_with("<>") => 2,
                '=' | '<' | '>' | '(' | ')' | ',' | '.' | '[' | ']' | '+' | '-' => 1,
                other => {
                    let message = format!("Syntax error; token: \"{other}\", near: \"{rest:.20}\"");
                    return Err(reader.refuse(&message));
                }
            };
            tokens.push(rest[..length].to_owned());
            rest = rest[length..].trim_start();
        }
        Ok(Self { tokens, ..reader })
    }

    fn refuse(&self, what: &str) -> Refusal {
        invalid(format!("Invalid {}: {what}", self.member))
    }

    fn wrong(&self) -> Refusal {
        let token = self.tokens.get(self.at).map_or("<EOF>", String::as_str);
        let near = self.tokens[self.at.saturating_sub(1)..].iter().take(3);
        let near: Vec<&str> = near.map(String::as_str).collect();
        self.refuse(&format!("Syntax error; token: \"{token}\", near: \"{}\"", near.join(" ")))
    }

    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    /// Takes a mark or a keyword if it comes next.
    pub(super) fn takes(&mut self, token: &str) -> bool {
        let is = self.peek().eq_ignore_ascii_case(token);
        self.at += usize::from(is);
        is
    }

    fn must(&mut self, token: &str) -> Result<(), Refusal> {
        if self.takes(token) { Ok(()) } else { Err(self.wrong()) }
    }

    pub(super) fn end(&self) -> Result<(), Refusal> {
        if self.at == self.tokens.len() { Ok(()) } else { Err(self.wrong()) }
    }

    pub(super) fn any(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let mut all = vec![self.all(depth)?];
        while self.takes("OR") {
            all.push(self.all(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let mut all = vec![self.one(depth)?];
        while self.takes("AND") {
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn one(&mut self, depth: usize) -> Result<Condition, Refusal> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.refuse("The expression has too many levels of nesting"));
        };
        if self.takes("NOT") {
            return Ok(Condition::Not(Box::new(self.one(depth)?)));
        }
        if self.takes("(") {
            let inside = self.any(depth)?;
            self.must(")")?;
            return Ok(inside);
        }
        if self.tokens.get(self.at + 1).is_some_and(|next| next == "(") && self.peek() != "size" {
            return self.function();
        }
        let left = self.operand()?;
        if self.takes("BETWEEN") {
            let low = self.operand()?;
            self.must("AND")?;
            return Ok(Condition::Between(left, low, self.operand()?));
        }
        if self.takes("IN") {
            self.must("(")?;
            let mut all = vec![self.operand()?];
            while self.takes(",") {
                all.push(self.operand()?);
            }
            self.must(")")?;
            return Ok(Condition::In(left, all));
        }
        for operator in ["=", "<>", "<=", ">=", "<", ">"] {
            if self.takes(operator) {
                return Ok(Condition::Compare(left, operator, self.operand()?));
            }
        }
        Err(self.wrong())
    }

    fn function(&mut self) -> Result<Condition, Refusal> {
        let name = self.peek().to_owned();
        self.at += 2;
        let found = match name.as_str() {
            "attribute_exists" => Condition::Exists(self.path()?, true),
            "attribute_not_exists" => Condition::Exists(self.path()?, false),
            "attribute_type" | "begins_with" | "contains" => {
                let place = self.operand()?;
                self.must(",")?;
                let wanted = self.operand()?;
                match (name.as_str(), place, wanted) {
                    ("attribute_type", Operand::Path(path), Operand::Value(kind)) => {
                        Condition::Type(path, kind)
                    }
                    ("begins_with", place, wanted) => Condition::Begins(place, wanted),
                    ("contains", place, wanted) => Condition::Contains(place, wanted),
                    _ => return Err(self.wrong()),
                }
            }
            _ => {
                let message = format!("Invalid function name; function: {name}");
                return Err(self.refuse(&message));
            }
        };
        self.must(")")?;
        Ok(found)
    }

    fn operand(&mut self) -> Result<Operand, Refusal> {
        if self.peek().starts_with(':') {
            return self.value().map(Operand::Value);
        }
        if self.peek() == "size" && self.tokens.get(self.at + 1).is_some_and(|next| next == "(") {
            self.at += 2;
            let path = self.path()?;
            self.must(")")?;
            return Ok(Operand::Size(path));
        }
        self.path().map(Operand::Path)
    }

    fn value(&mut self) -> Result<Value, Refusal> {
        let key = self.peek().to_owned();
        if !key.starts_with(':') {
            return Err(self.wrong());
        }
        self.at += 1;
        self.names.get(VALUES, &key).cloned().ok_or_else(|| {
            self.refuse(&format!(
                "An expression attribute value used in expression is not defined; attribute \
                 value: {key}"
            ))
        })
    }

    pub(super) fn path(&mut self) -> Result<Path, Refusal> {
        let mut path = vec![self.name()?];
        loop {
            if self.takes(".") {
                path.push(self.name()?);
            } else if self.takes("[") {
                let place = self.peek().parse().map_err(|_| self.wrong())?;
                self.at += 1;
                self.must("]")?;
                path.push(Step::Place(place));
            } else {
                return Ok(path);
            }
        }
    }

    fn name(&mut self) -> Result<Step, Refusal> {
        let token = self.peek().to_owned();
        let is_name = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_name && !token.starts_with('#') {
            return Err(self.wrong());
        }
        self.at += 1;
        if is_name {
            return Ok(Step::Name(token));
        }
        let found = self.names.get(NAMES, &token).and_then(Value::as_str);
        found.map(|name| Step::Name(name.to_owned())).ok_or_else(|| {
            self.refuse(&format!(
                "An expression attribute name used in the document path is not defined; attribute \
                 name: {token}"
            ))
        })
    }

    pub(super) fn changes(&mut self) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::new();
        while self.at < self.tokens.len() {
            let clause = self.peek().to_ascii_uppercase();
            self.at += 1;
            loop {
                changes.push(match clause.as_str() {
                    "SET" => {
                        let path = self.path()?;
                        self.must("=")?;
                        Change::Set(path, self.sum()?)
                    }
                    "REMOVE" => Change::Remove(self.path()?),
                    "ADD" => Change::Add(self.path()?, self.value()?),
                    "DELETE" => Change::Delete(self.path()?, self.value()?),
                    _ => {
                        self.at -= 1;
                        return Err(self.wrong());
                    }
                });
                if !self.takes(",") {
                    break;
                }
            }
        }
        Ok(changes)
    }

    fn sum(&mut self) -> Result<Operand, Refusal> {
        let left = self.term()?;
        for (sign, plus) in [("+", true), ("-", false)] {
            if self.takes(sign) {
                return Ok(Operand::Sum(Box::new(left), Box::new(self.term()?), plus));
            }
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Operand, Refusal> {
        let is_call = self.tokens.get(self.at + 1).is_some_and(|next| next == "(");
        let name = self.peek().to_owned();
        if !is_call {
            return self.operand();
        }
        self.at += 2;
        let made = match name.as_str() {
            "if_not_exists" => {
                let path = self.path()?;
                self.must(",")?;
                Operand::IfMissing(path, Box::new(self.term()?))
            }
            "list_append" => {
                let first = self.term()?;
                self.must(",")?;
                Operand::Append(Box::new(first), Box::new(self.term()?))
            }
            _ => return Err(self.refuse(&format!("Invalid function name; function: {name}"))),
        };
        self.must(")")?;
        Ok(made)
    }
}
