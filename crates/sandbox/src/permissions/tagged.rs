//! The tags in a call, wherever a service takes them.

use std::collections::BTreeMap;

use serde_json::Value;

/// The tags of a call, of whatever form: a map, or a list of keys and values.
pub(super) fn given(input: &Value) -> BTreeMap<String, String> {
    let places = ["Tags", "tags", "ResourceTags"];
    let mut tags = BTreeMap::new();
    for given in places.iter().filter_map(|name| input.get(*name)) {
        tags.extend(read(given));
    }
    tags
}

/// The tags that a call to EC2 gives to what it makes of a type.
pub(super) fn specified(input: &Value, kind: &str) -> BTreeMap<String, String> {
    let all = input.get("TagSpecification").and_then(Value::as_array);
    let of_kind = all.into_iter().flatten().filter(|one| text(one, "ResourceType") == Some(kind));
    of_kind.filter_map(|one| one.get("Tag")).flat_map(read).collect()
}

fn read(given: &Value) -> BTreeMap<String, String> {
    let pair = |tag: &Value| {
        let first = |names: [&str; 3]| names.iter().find_map(|name| text(tag, name));
        let key = first(["Key", "key", "TagKey"])?;
        Some((key.to_owned(), first(["Value", "value", "TagValue"])?.to_owned()))
    };
    match given {
        // The query protocol of RDS names the items of a list.
        Value::Object(list) if list.get("Tag").is_some_and(Value::is_array) => read(&list["Tag"]),
        Value::Object(tags) => {
            let one =
                |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            tags.iter().filter_map(one).collect()
        }
        Value::Array(tags) => tags.iter().filter_map(pair).collect(),
        _ => BTreeMap::new(),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_are_read_from_every_request_form() {
        let want = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        for input in [
            json!({ "Tags": { "a": "b" } }),
            json!({ "tags": [{ "key": "a", "value": "b" }] }),
            json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
        ] {
            assert_eq!(given(&input), want);
        }
        let input = json!({ "TagSpecification": [
            { "ResourceType": "vpc", "Tag": [{ "Key": "a", "Value": "b" }] },
        ] });
        assert_eq!(specified(&input, "vpc"), want);
        assert!(specified(&input, "subnet").is_empty() && given(&json!({ "Tags": "" })).is_empty());
    }
}
