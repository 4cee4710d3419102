//! REST with XML, as Route 53 speaks it: path and query as with JSON, and documents as bodies.

use serde_json::{Map, Value};

use super::xml::{self, Element, Lists};
use super::{Request, Response, encode, rest};
use crate::Refusal;

/// The elements that hold a list.
const LISTS: [&str; 4] = ["AddTags", "Changes", "RemoveTagKeys", "ResourceRecords"];

const SPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The input: the members of the document, then those of query and path.
pub(super) fn input(service: &str, request: &Request) -> Result<Value, Refusal> {
    let bare = Request { body: Vec::new(), ..request.clone() };
    let outside = rest::input(service, &bare)?;
    let body = match request.body.is_empty() {
        true => Value::Object(Map::new()),
        false => {
            let root = Element::parse(request.text())
                .map_err(|refusal| Refusal::new("MalformedInput", refusal.message))?;
            tree(&root)
        }
    };
    let members = [body, outside].into_iter().filter_map(|part| match part {
        Value::Object(members) => Some(members),
        _ => None,
    });
    Ok(Value::Object(members.flatten().collect()))
}

fn tree(element: &Element) -> Value {
    let children = &element.children;
    match LISTS.contains(&element.name.as_str()) {
        true => Value::Array(children.iter().map(tree).collect()),
        false if children.is_empty() => Value::String(element.text.clone()),
        false => {
            let members = children.iter().map(|child| (child.name.clone(), tree(child)));
            Value::Object(members.collect())
        }
    }
}

/// An answer. Its lists stand under the names of their items.
pub(super) fn respond(service: &str, operation: &str, id: &str, value: &Value) -> Response {
    let mut body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{SPACE}\">"
    );
    xml::write_content(&mut body, value, Lists::Flat);
    body.push_str(&format!("</{operation}Response>"));
    let mut response = encode::respond(rest::status(service, operation), "text/xml", id, body);
    if let Some(zone) = value.pointer("/HostedZone/Id").and_then(Value::as_str) {
        response.set("location", format!("https://route53.amazonaws.com/2013-04-01{zone}"));
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_become_members_and_lists() {
        let body = "<ChangeResourceRecordSetsRequest xmlns=\"u\"><ChangeBatch><Changes><Change>\
                    <Action>UPSERT</Action><ResourceRecordSet><ResourceRecords><ResourceRecord>\
                    <Value>1.2.3.4</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
                    </Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>";
        let request = Request {
            method: "POST".into(),
            target: "/2013-04-01/hostedzone/Z1/rrset/".into(),
            body: body.into(),
            ..Request::default()
        };
        let record = json!({ "ResourceRecords": [{ "Value": "1.2.3.4" }] });
        assert_eq!(
            input("route53", &request).unwrap(),
            json!({
                "Id": "Z1",
                "ChangeBatch": {
                    "Changes": [{ "Action": "UPSERT", "ResourceRecordSet": record }],
                },
            })
        );
    }

    #[test]
    fn answers_are_documents_with_named_items() {
        let value = json!({ "HostedZones": { "HostedZone": [{ "Id": "a" }, { "Id": "b" }] } });
        let response = respond("route53", "ListHostedZones", "id", &value);
        let body = String::from_utf8(response.body).unwrap();
        assert!(body.ends_with(
            "<HostedZones><HostedZone><Id>a</Id></HostedZone><HostedZone><Id>b</Id></HostedZone>\
             </HostedZones></ListHostedZonesResponse>"
        ));
    }
}
