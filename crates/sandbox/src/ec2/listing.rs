//! Helpers of all Describe calls: ids, filters, pages.
//!
//! Filters work on the answer: a filter is a name and the path to the values in an item. The
//! sandbox refuses an unknown filter, as AWS does.

use serde_json::{Map, Value, json};

use super::super::toolbox::{fits, text};
use super::super::{Answer, Refusal};
use super::{Cx, input, invalid, missing};

/// The way to list a kind.
pub(super) struct Listing {
    /// The member with the list.
    pub set: &'static str,
    /// The parameter with the wanted ids.
    pub ask: &'static str,
    /// The member of an item with its id.
    pub id: &'static str,
    /// The prefix of the ids. It also selects the refusal of a missing object.
    pub prefix: &'static str,
    /// The filters: name and path.
    pub filters: &'static [(&'static str, &'static str)],
}

/// One page of a list.
pub(super) struct Page {
    /// The items.
    pub items: Vec<Value>,
    next: Option<String>,
}

impl Page {
    /// The answer with the list under the given name.
    pub(super) fn answer(self, set: &str) -> Answer {
        let mut members = Map::new();
        members.insert(set.to_owned(), Value::Array(self.items));
        members.insert("nextToken".to_owned(), json!(self.next));
        Ok(Value::Object(members))
    }
}

/// Answers with the items that the request asks for.
pub(super) fn answer(cx: &Cx<'_>, listing: &Listing, items: Vec<Value>) -> Answer {
    page(cx, listing, items)?.answer(listing.set)
}

/// Selects the items that the request asks for.
pub(super) fn page(cx: &Cx<'_>, listing: &Listing, mut items: Vec<Value>) -> Result<Page, Refusal> {
    let wanted = cx.list(listing.ask);
    let id = |item: &Value| text(item, listing.id).unwrap_or_default().to_owned();
    for one in &wanted {
        if !items.iter().any(|item| id(item) == *one) {
            return Err(missing(listing.prefix, one));
        }
    }
    if !wanted.is_empty() {
        items.retain(|item| wanted.contains(&id(item)));
    }
    for filter in cx.items("Filter") {
        let values = input::list(filter, "Value");
        let test = Test::new(text(filter, "Name").unwrap_or_default(), listing.filters)?;
        items.retain(|item| {
            test.values(item).iter().any(|have| values.iter().any(|want| fits(want, have)))
        });
    }
    cut(cx, items)
}

/// Selects the page that `NextToken` and `MaxResults` ask for.
fn cut(cx: &Cx<'_>, items: Vec<Value>) -> Result<Page, Refusal> {
    let start: usize = match cx.text("NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid."))?,
    };
    let size = match cx.text("MaxResults") {
        None => 1000,
        Some(text) => text.parse().ok().filter(|size| (5..=1000).contains(size)).ok_or_else(|| {
            invalid(format!(
                "Value ( {text} ) for parameter maxResults is invalid. Expecting a value from 5 \
                 to 1000."
            ))
        })?,
    };
    let end = start.saturating_add(size);
    let next = (items.len() > end).then(|| format!("page-{end}"));
    Ok(Page { items: items.into_iter().skip(start).take(size).collect(), next })
}

/// How a filter finds its values.
enum Test<'f> {
    Tag(&'f str),
    Path(&'static str),
}

impl<'f> Test<'f> {
    fn new(name: &'f str, known: &[(&str, &'static str)]) -> Result<Self, Refusal> {
        if let Some(key) = name.strip_prefix("tag:") {
            return Ok(Self::Tag(key));
        }
        match name {
            "tag-key" => return Ok(Self::Path("tagSet.key")),
            "tag-value" => return Ok(Self::Path("tagSet.value")),
            _ => {}
        }
        let path = known.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
        path.map(Self::Path).ok_or_else(|| invalid(format!("The filter '{name}' is invalid")))
    }

    fn values(&self, item: &Value) -> Vec<String> {
        let mut values = Vec::new();
        match self {
            Self::Path(path) => collect(item, path, &mut values),
            Self::Tag(key) => {
                for tag in input::items(item, "tagSet") {
                    if text(tag, "key") == Some(key) {
                        collect(tag, "value", &mut values);
                    }
                }
            }
        }
        values
    }
}

/// Collects the leaves at the path. It goes through lists.
fn collect(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, found)),
        Value::Object(members) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            if let Some(member) = members.get(first) {
                collect(member, rest, found);
            }
        }
        Value::Null => {}
        Value::String(text) => found.push(text.clone()),
        leaf => found.push(leaf.to_string()),
    }
}
