//! Calls of versions and aliases: which code runs, and what it is told.

use super::*;
use crate::lambda;

fn arn(rest: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:f{rest}")
}

#[tokio::test]
async fn a_version_and_an_alias_run_what_was_published() {
    let sandbox = Sandbox::in_memory();
    with_versions(&sandbox, |word| {
        format!(
            "def handler(event, context):\n\
             \x20   return ['{word}', context.function_version, context.invoked_function_arn]\n"
        )
    });
    for (named, word, version, rest) in [
        ("f", "latest", "$LATEST", ""),
        ("f:1", "one", "1", ":1"),
        ("f?Qualifier=2", "two", "2", ":2"),
        (&arn(":live"), "one", "1", ":live"),
    ] {
        let response = invoke(&sandbox, named, "{}", &[]).await;
        assert_eq!(body(&response), json!([word, version, arn(rest)]), "{named}");
        assert_eq!(header(&response, "x-amz-executed-version"), Some(version));
    }
    let streams = json!({ "logGroupName": "/aws/lambda/f" });
    let streams = api(&sandbox, "logs", "DescribeLogStreams", streams)["logStreams"].to_string();
    for version in ["[1]", "[2]", "[$LATEST]"] {
        assert_eq!(streams.matches(&format!("/{version}")).count(), 2, "{version} {streams}");
    }
    let moved = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "2" });
    api(&sandbox, "lambda", "UpdateAlias", moved);
    assert_eq!(answer(&sandbox, "f:live", json!({})).await, json!(["two", "2", arn(":live")]));
    for rest in [":7", ":none"] {
        let response = invoke(&sandbox, &format!("f{rest}"), "{}", &[]).await;
        assert_eq!(response.status, 404);
        let message = format!("Function not found: {}", arn(rest));
        assert_eq!(body(&response), json!({ "Type": "User", "Message": message }));
    }
}

#[test]
fn the_weights_of_an_alias_say_how_often_a_version_runs() {
    let sandbox = Sandbox::in_memory();
    with_versions(&sandbox, |word| format!("def handler(event, context):\n    return '{word}'\n"));
    let planned = |id: Option<&str>| {
        let plan = sandbox.with(false, |world, _| match id {
            Some(id) => {
                lambda::plan(world, REGION, &json!({ "FunctionName": "f:live" }), id.to_owned())
            }
            None => super::super::plan(world, REGION, &arn(":live")),
        });
        plan.unwrap().unwrap()
    };
    let packages = ["f:1", "f:2"].map(|name| {
        let plan = sandbox.with(false, |world, _| super::super::plan(world, REGION, name));
        plan.unwrap().unwrap().package
    });
    assert_ne!(packages[0], packages[1]);
    for (weight, expected) in [(0.0, 0..=0), (0.3, 40..=80), (1.0, 200..=200)] {
        let weights = json!({ "AdditionalVersionWeights": { "2": weight } });
        let input = json!({ "FunctionName": "f", "Name": "live", "RoutingConfig": weights });
        api(&sandbox, "lambda", "UpdateAlias", input);
        let mut second = 0;
        for _ in 0..200 {
            let plan = planned(None);
            let is_second = plan.version == "2";
            assert_eq!(plan.package, packages[usize::from(is_second)]);
            second += i32::from(is_second);
        }
        assert!(expected.contains(&second), "{weight}: {second}");
    }
    let input = json!({
        "FunctionName": "f", "Name": "live",
        "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.5 } },
    });
    api(&sandbox, "lambda", "UpdateAlias", input);
    let versions: Vec<String> =
        ["a", "a", "b", "c", "d", "e", "f"].map(|id| planned(Some(id)).version).into();
    assert_eq!(versions[0], versions[1], "a request that comes again runs the same version");
    assert!(versions.iter().any(|version| *version != versions[0]), "{versions:?}");
}
