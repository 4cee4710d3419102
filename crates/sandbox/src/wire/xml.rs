//! XML: JSON values are written as XML, and request bodies are read into a tree.

use std::fmt::Write;

use serde_json::Value;

use crate::Refusal;

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    /// EC2: `<set><item>..</item></set>`.
    Item,
    /// Query: `<List><member>..</member></List>`.
    Member,
    /// S3: the list's own element, repeated.
    Flat,
}

/// Writes `value` as the content of `<name>`; `null` writes nothing.
pub(crate) fn write(out: &mut String, name: &str, value: &Value, lists: Lists) {
    match (value, lists) {
        (Value::Null, _) => {}
        (Value::Array(items), Lists::Flat) => {
            for item in items {
                write(out, name, item, lists);
            }
        }
        _ => {
            let _ = write!(out, "<{name}>");
            write_content(out, value, lists);
            let _ = write!(out, "</{name}>");
        }
    }
}

/// Writes the content of an element.
pub(crate) fn write_content(out: &mut String, value: &Value, lists: Lists) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&escape(text)),
        Value::Array(items) => {
            let name = if lists == Lists::Item { "item" } else { "member" };
            for item in items {
                write(out, name, item, lists);
            }
        }
        Value::Object(members) => match members.get("$map").and_then(Value::as_object) {
            Some(map) => {
                for (key, value) in map {
                    let _ = write!(out, "<entry><key>{}</key>", escape(key));
                    write(out, "value", value, lists);
                    out.push_str("</entry>");
                }
            }
            None => {
                for (name, value) in members {
                    write(out, name, value, lists);
                }
            }
        },
    }
}

/// Text for the inside of an element. It drops characters that XML cannot contain.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' => out.push(character),
            control if control < ' ' => {}
            other => out.push(other),
        }
    }
    out
}

/// An element of a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// The name, with its prefix.
    pub name: String,
    /// The attributes as text, namespaces among them.
    pub attributes: String,
    /// The text directly inside.
    pub text: String,
    /// The elements inside.
    pub children: Vec<Element>,
}

impl Element {
    /// An element with text.
    pub(crate) fn with_text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), ..Self::default() }
    }

    /// Reads a document.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        Reader { rest: text }.document().ok_or_else(malformed)
    }

    /// The first child with this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children with this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text at the end of a path of names.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        let end = path.iter().try_fold(self, |element, name| element.child(name))?;
        Some(end.text.trim())
    }

    /// Writes the element as XML again.
    pub(crate) fn render(&self) -> String {
        let Self { name, attributes, text, children } = self;
        let space = if attributes.is_empty() { "" } else { " " };
        let content: String = if children.is_empty() {
            escape(text)
        } else {
            children.iter().map(Self::render).collect()
        };
        format!("<{name}{space}{attributes}>{content}</{name}>")
    }
}

/// The refusal of S3 for a body that it cannot read.
pub(crate) fn malformed() -> Refusal {
    let message = "The XML you provided was not well-formed or did not validate against our \
                   published schema";
    Refusal::new("MalformedXML", message)
}

/// The deepest element that is read. Deeper documents are refused.
const DEEPEST: usize = 32;

/// A reader of the XML that AWS clients send: elements, attributes, text, comments, CDATA. It does
/// not read document types. It reads only the five predefined entities and numeric ones.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn document(mut self) -> Option<Element> {
        self.rest = self.rest.trim_start_matches('\u{feff}');
        self.skip_misc()?;
        let root = self.element(0)?;
        self.skip_misc()?;
        self.rest.is_empty().then_some(root)
    }

    fn skip_misc(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_start();
            if self.eat("<?") {
                self.until("?>")?;
            } else if self.eat("<!--") {
                self.until("-->")?;
            } else {
                return Some(());
            }
        }
    }

    fn element(&mut self, depth: usize) -> Option<Element> {
        if depth > DEEPEST || !self.eat("<") {
            return None;
        }
        let tag = self.until(">")?;
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let is_name = |character: char| character.is_alphanumeric() || "_:.-".contains(character);
        if name.is_empty() || !name.chars().all(is_name) || attributes.contains('<') {
            return None;
        }
        let mut element = Element {
            name: name.to_owned(),
            attributes: attributes.trim().to_owned(),
            ..Element::default()
        };
        if closed {
            return Some(element);
        }
        loop {
            let text = &self.rest[..self.rest.find('<')?];
            element.text.push_str(&unescape(text)?);
            self.rest = &self.rest[text.len()..];
            if self.eat("<!--") {
                self.until("-->")?;
            } else if self.eat("<![CDATA[") {
                element.text.push_str(self.until("]]>")?);
            } else if self.eat("</") {
                let end = self.until(">")?;
                return (end.trim_end() == element.name).then_some(element);
            } else {
                element.children.push(self.element(depth + 1)?);
            }
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, token: &str) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(token)?;
        self.rest = after;
        Some(before)
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';')?;
        out.push_str(before);
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = entity.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(value: Value, lists: Lists) -> String {
        let mut out = String::new();
        write(&mut out, "R", &value, lists);
        out
    }

    #[test]
    fn lists_are_written_in_the_form_of_each_protocol() {
        let value = json!({ "a": ["x", 1], "b": null, "c": true });
        let check = |lists, expected| assert_eq!(rendered(value.clone(), lists), expected);
        check(Lists::Item, "<R><a><item>x</item><item>1</item></a><c>true</c></R>");
        check(Lists::Member, "<R><a><member>x</member><member>1</member></a><c>true</c></R>");
        check(Lists::Flat, "<R><a>x</a><a>1</a><c>true</c></R>");
    }

    #[test]
    fn maps_are_written_as_entries() {
        let value = json!({ "Attributes": { "$map": { "k": "a<b" } } });
        assert_eq!(
            rendered(value, Lists::Member),
            "<R><Attributes><entry><key>k</key><value>a&lt;b</value></entry></Attributes></R>"
        );
    }

    #[test]
    fn documents_are_read_and_written_back() {
        let text = "<?xml version=\"1.0\"?>\n<!-- c --><T xmlns=\"u\"><A>x &amp; &#x41;</A> <B/>\
                    <A><![CDATA[<y>]]></A></T>\n";
        let root = Element::parse(text).unwrap();
        assert_eq!(root.all("A").map(|a| a.text.as_str()).collect::<Vec<_>>(), ["x & A", "<y>"]);
        assert_eq!(root.render(), "<T xmlns=\"u\"><A>x &amp; A</A><B></B><A>&lt;y&gt;</A></T>");
    }

    #[test]
    fn invalid_xml_is_refused() {
        let deep = "<a>".repeat(100_000);
        for text in ["", "x", "<a>", "<a></b>", "<a>&nope;</a>", "<a/><b/>", "<>", deep.as_str()] {
            assert!(Element::parse(text).is_err(), "{text:.20}");
        }
    }
}
