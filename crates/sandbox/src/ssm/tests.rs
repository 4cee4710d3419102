//! Tests of Parameter Store, call by call.

use serde_json::{Value, json};

use super::super::World;
use super::super::toolbox::testing::ask;

fn ssm(world: &mut World, operation: &str, input: Value) -> Result<Value, String> {
    ask(world, "ssm", operation, input).map_err(|refusal| refusal.code)
}

fn create(world: &mut World, name: &str) -> Result<Value, String> {
    let tags = json!([{ "Key": "payctl:env", "Value": "dev" }]);
    let input = json!({ "Name": name, "Value": "v", "Type": "String", "Tags": tags });
    ssm(world, "PutParameter", input)
}

#[test]
fn tags_and_overwrite_exclude_each_other() {
    let mut world = World::default();
    create(&mut world, "/a/b").unwrap();
    assert_eq!(create(&mut world, "/a/b"), Err("ParameterAlreadyExists".into()));
    let both = json!({ "Name": "/a/b", "Value": "w", "Type": "String", "Overwrite": true,
        "Tags": [{ "Key": "k", "Value": "v" }] });
    assert_eq!(ssm(&mut world, "PutParameter", both), Err("ValidationException".into()));
    let again = json!({ "Name": "/a/b", "Value": "w", "Overwrite": true });
    assert_eq!(ssm(&mut world, "PutParameter", again).unwrap()["Version"], 2);
    let answer = ssm(&mut world, "GetParameter", json!({ "Name": "/a/b" })).unwrap();
    assert_eq!(answer["Parameter"]["Value"], "w");
    let arn = "arn:aws:ssm:eu-west-1:000000000000:parameter/a/b";
    assert_eq!(answer["Parameter"]["ARN"], arn);
    assert!(ssm(&mut world, "GetParameter", json!({ "Name": arn })).is_ok());
}

#[test]
fn names_are_checked() {
    let mut world = World::default();
    for bad in ["/aws/x", "ssm-x", "a/b", "/a//b", "/a b", "/a/"] {
        assert_eq!(create(&mut world, bad), Err("ValidationException".into()), "{bad}");
    }
    let deep = "/a".repeat(16);
    assert_eq!(create(&mut world, &deep), Err("HierarchyLevelLimitExceededException".into()));
    assert!(create(&mut world, "plain_name.x-1").is_ok());
}

#[test]
fn missing_names_are_listed() {
    let mut world = World::default();
    create(&mut world, "/a/b").unwrap();
    let answer = ssm(&mut world, "GetParameters", json!({ "Names": ["/a/b", "/no"] })).unwrap();
    assert_eq!(answer["InvalidParameters"], json!(["/no"]));
    assert_eq!(answer["Parameters"][0]["Name"], "/a/b");
    let gone = ssm(&mut world, "GetParameter", json!({ "Name": "/no" }));
    assert_eq!(gone, Err("ParameterNotFound".into()));
}

#[test]
fn the_image_of_amazon_linux_is_stable() {
    let name = format!("{}{}", super::IMAGES_PATH, super::IMAGES[0]);
    let ask = || {
        let input = json!({ "Name": name });
        let answer = ssm(&mut World::default(), "GetParameter", input).unwrap();
        answer["Parameter"]["Value"].as_str().unwrap().to_owned()
    };
    let image = ask();
    assert!(image.starts_with("ami-0") && image.len() == 21, "{image}");
    assert_eq!(image, ask());
}

#[test]
fn parameters_are_described_by_tag_and_path_in_pages() {
    let mut world = World::default();
    for name in ["/a/b", "/a/c", "/a/d/e", "/other"] {
        create(&mut world, name).unwrap();
    }
    let by_tag = json!([{ "Key": "tag:payctl:env", "Values": ["dev"] }]);
    let input = json!({ "ParameterFilters": by_tag, "MaxResults": 3 });
    let first = ssm(&mut world, "DescribeParameters", input).unwrap();
    assert_eq!(first["Parameters"].as_array().unwrap().len(), 3);
    let input = json!({ "ParameterFilters": by_tag, "NextToken": first["NextToken"] });
    let second = ssm(&mut world, "DescribeParameters", input).unwrap();
    assert_eq!(second["Parameters"][0]["Name"], "/other");
    assert!(second.get("NextToken").is_none());
    let flat = ssm(&mut world, "GetParametersByPath", json!({ "Path": "/a" })).unwrap();
    assert_eq!(flat["Parameters"].as_array().unwrap().len(), 2);
    let deep = json!({ "Path": "/a/", "Recursive": true });
    let deep = ssm(&mut world, "GetParametersByPath", deep).unwrap();
    assert_eq!(deep["Parameters"].as_array().unwrap().len(), 3);
    let bad = json!({ "ParameterFilters": [{ "Key": "Colour" }] });
    assert_eq!(ssm(&mut world, "DescribeParameters", bad), Err("InvalidFilterKey".into()));
}

#[test]
fn tags_change_independently() {
    let mut world = World::default();
    create(&mut world, "/a").unwrap();
    let of = |more: Value| {
        let mut input = json!({ "ResourceType": "Parameter", "ResourceId": "/a" });
        let members = more.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(members);
        input
    };
    let more = of(json!({ "Tags": [{ "Key": "k", "Value": "v" }] }));
    ssm(&mut world, "AddTagsToResource", more).unwrap();
    let less = of(json!({ "TagKeys": ["payctl:env"] }));
    ssm(&mut world, "RemoveTagsFromResource", less).unwrap();
    let tags = ssm(&mut world, "ListTagsForResource", of(json!({}))).unwrap();
    assert_eq!(tags["TagList"], json!([{ "Key": "k", "Value": "v" }]));
    ssm(&mut world, "DeleteParameter", json!({ "Name": "/a" })).unwrap();
    let gone = ssm(&mut world, "ListTagsForResource", of(json!({})));
    assert_eq!(gone, Err("InvalidResourceId".into()));
}

#[test]
fn the_advanced_tier_cannot_be_downgraded() {
    let mut world = World::default();
    let mut put = |length: usize, tier: &str| {
        let input = json!({ "Name": "/a", "Value": "v".repeat(length), "Type": "String",
            "Tier": tier, "Overwrite": true });
        ssm(&mut world, "PutParameter", input)
    };
    assert_eq!(put(4097, "Standard"), Err("ValidationException".into()));
    assert!(put(4097, "Advanced").is_ok());
    assert_eq!(put(1, "Standard"), Err("ValidationException".into()));
}

#[test]
fn a_secure_string_is_decrypted_only_on_request() {
    let mut world = World::default();
    let input = json!({ "Name": "/s", "Value": "hidden", "Type": "SecureString" });
    ssm(&mut world, "PutParameter", input).unwrap();
    let closed = ssm(&mut world, "GetParameter", json!({ "Name": "/s" })).unwrap();
    assert_ne!(closed["Parameter"]["Value"], "hidden");
    let open = json!({ "Name": "/s", "WithDecryption": true });
    let open = ssm(&mut world, "GetParameter", open).unwrap();
    assert_eq!(open["Parameter"]["Value"], "hidden");
    let described = ssm(&mut world, "DescribeParameters", json!({})).unwrap();
    assert_eq!(described["Parameters"][0]["KeyId"], "alias/aws/ssm");
}

#[test]
fn root_names_are_equal_with_and_without_a_slash() {
    let mut world = World::default();
    create(&mut world, "plain").unwrap();
    assert_eq!(create(&mut world, "/plain"), Err("ParameterAlreadyExists".into()));
    let arn = "arn:aws:ssm:eu-west-1:000000000000:parameter/plain";
    for (asked, shown) in [("plain", "plain"), ("/plain", "/plain"), (arn, "plain")] {
        let answer = ssm(&mut world, "GetParameter", json!({ "Name": asked })).unwrap();
        assert_eq!(answer["Parameter"]["Name"], shown);
        assert_eq!(answer["Parameter"]["ARN"], arn);
    }
    for malformed in ["/a//b", "a/b"] {
        let refused = ssm(&mut world, "GetParameter", json!({ "Name": malformed }));
        assert_eq!(refused, Err("ValidationException".into()));
    }
    let label = ssm(&mut world, "GetParameter", json!({ "Name": "plain:label" }));
    assert_eq!(label, Err("ParameterNotFound".into()));
    ssm(&mut world, "DeleteParameter", json!({ "Name": "/plain" })).unwrap();
}

#[test]
fn a_secret_is_readable_as_a_parameter_with_decryption() {
    let mut world = World::default();
    let secret = json!({ "Name": "db", "SecretString": "s", "ClientRequestToken": "0".repeat(32) });
    ask(&mut world, "secretsmanager", "CreateSecret", secret).unwrap();
    let name = "/aws/reference/secretsmanager/db";
    let closed = ssm(&mut world, "GetParameter", json!({ "Name": name }));
    assert_eq!(closed, Err("ValidationException".into()));
    let open = json!({ "Name": name, "WithDecryption": true });
    let found = ssm(&mut world, "GetParameter", open).unwrap()["Parameter"].clone();
    assert_eq!((&found["Name"], &found["Value"]), (&json!(name), &json!("s")));
    assert!(
        found["SourceResult"].as_str().is_some_and(|source| source.contains("\"name\":\"db\""))
    );
    let gone = format!("{name}2");
    let input = json!({ "Names": [name, gone], "WithDecryption": true });
    let answer = ssm(&mut world, "GetParameters", input).unwrap();
    assert_eq!(answer["InvalidParameters"], json!([gone]));
}
