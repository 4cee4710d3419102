//! The tags of keys, and KMS's errors for invalid ones.

use serde_json::Value;

use crate::Refusal;
use crate::constraints::unfit;
use crate::toolbox::{Tags, add_tags, list, tag_list, text};

/// The names of the members of a tag.
pub(super) const TAG: (&str, &str) = ("TagKey", "TagValue");

/// Adds the tags of a call.
pub(super) fn add(tags: &mut Tags, input: &Value) -> Result<(), Refusal> {
    let wrong = |message: &str| Err(Refusal::new("TagException", message));
    let more = list(input, "Tags");
    for (place, tag) in more.iter().enumerate() {
        for (member, shown, most) in [("TagKey", "tagKey", 128), ("TagValue", "tagValue", 256)] {
            let value = text(tag, member).unwrap_or_default();
            if value.chars().count() > most {
                let place = format!("tags.{}.member.{shown}", place + 1);
                let rule = format!("Member must have length less than or equal to {most}");
                return Err(unfit("ValidationException", value, &place, &rule));
            }
        }
    }
    let keys: Vec<&str> = more.iter().filter_map(|tag| text(tag, TAG.0)).collect();
    if keys.iter().any(|key| key.to_lowercase().starts_with("aws:")) {
        return wrong("Tags beginning with aws: are reserved");
    }
    let more = tag_list(input, "Tags", TAG);
    if more.len() < keys.len() {
        return wrong("Duplicate tag keys");
    }
    let known = more.keys().filter(|key| tags.contains_key(*key)).count();
    if tags.len() + more.len() - known > 50 {
        return wrong("Too many tags");
    }
    add_tags(tags, more, ("TagException", "TagException"))
}
