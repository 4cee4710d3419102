//! Stages, with and without a canary.

use super::*;

fn update(world: &mut World, api: &str, patches: Value) -> Result<Value, String> {
    let input = json!({ "api": api, "stage": "prod", "patchOperations": patches });
    gateway(world, "UpdateStage", input)
}

#[test]
fn a_deployment_creates_or_moves_its_stage() {
    let (mut world, api, first) = with_stage();
    let deploy = |world: &mut World, stage: &str| {
        gateway(world, "CreateDeployment", json!({ "api": api, "stageName": stage })).unwrap()
    };
    let moved = deploy(&mut world, "prod");
    let stage = json!({ "api": api, "stage": "prod" });
    let stage = gateway(&mut world, "GetStage", stage).unwrap();
    assert_eq!(stage["deploymentId"], moved["id"]);
    assert_ne!(stage["deploymentId"], json!(first));
    let made = deploy(&mut world, "other");
    let of = json!({ "api": api, "deploymentId": made["id"] });
    let stages = gateway(&mut world, "GetStages", of).unwrap();
    assert_eq!(stages["item"][0]["stageName"], "other");
    assert_eq!(stages["item"].as_array().unwrap().len(), 1);
}

#[test]
fn a_canary_is_kept_beside_the_stage_until_promoted() {
    let (mut world, api, first) = with_stage();
    let canary = json!({ "percentTraffic": 50, "stageVariableOverrides": { "v": "new" } });
    let none = json!({ "api": api, "canarySettings": canary });
    let refused = gateway(&mut world, "CreateDeployment", none).unwrap_err();
    assert!(refused.ends_with("Provided value is null"), "{refused}");
    let none = json!({ "api": api, "stageName": "none", "canarySettings": canary });
    let refused = gateway(&mut world, "CreateDeployment", none).unwrap_err();
    assert!(refused.contains("Stage none must already be created"), "{refused}");
    let made = json!({ "api": api, "stageName": "prod", "canarySettings": canary });
    let second = gateway(&mut world, "CreateDeployment", made).unwrap();
    let stage = gateway(&mut world, "GetStage", json!({ "api": api, "stage": "prod" })).unwrap();
    assert_eq!(stage["deploymentId"], json!(first));
    let settings = json!({
        "deploymentId": second["id"], "percentTraffic": 50.0, "useStageCache": false,
        "stageVariableOverrides": { "v": "new" },
    });
    assert_eq!(stage["canarySettings"], settings);
    let copy = |path: &str, from: &str| json!({ "op": "copy", "path": path, "from": from });
    let wrong = json!([copy("/canarySettings/deploymentId", "/deploymentId")]);
    let refused = update(&mut world, &api, wrong).unwrap_err();
    assert!(refused.starts_with("Invalid copy operation with path"), "{refused}");
    let promote = json!([
        copy("/deploymentId", "/canarySettings/deploymentId"),
        copy("/variables", "/canarySettings/stageVariableOverrides"),
    ]);
    let stage = update(&mut world, &api, promote.clone()).unwrap();
    assert_eq!((&stage["deploymentId"], &stage["variables"]["v"]), (&second["id"], &json!("new")));
    let gone = json!([{ "op": "remove", "path": "/canarySettings" }]);
    assert_eq!(update(&mut world, &api, gone).unwrap().get("canarySettings"), None);
    let refused = update(&mut world, &api, promote).unwrap_err();
    assert_eq!(refused, "Promotion not available. Canary does not exist.");
}

#[test]
fn a_stage_refuses_unknown_patch_paths() {
    let (mut world, api, _) = with_stage();
    for (op, path, value, message) in [
        ("replace", "/accessLogSettings/x", "v", "Invalid accessLogSettings path."),
        ("add", "/accessLogSettings", "v", "Invalid accessLogSettings path."),
        ("replace", "/accessLogSettings/format", "", "Access Log value must not be empty"),
        ("remove", "/*/*", "", "Cannot remove method setting */* because there is no method"),
        ("remove", "/canarySettings/x", "", "Cannot remove method setting canarySettings/x"),
        ("add", "/canarySettings/deploymentId", "x", "Invalid add operation with path:"),
        ("replace", "/canarySettings/deploymentId", "x", "Deployment id does not exist"),
        ("replace", "/tags/t", "v", "Invalid method setting path: /tags/t. Must be one of: ["),
    ] {
        let patch = json!([{ "op": op, "path": path, "value": value }]);
        let refused = update(&mut world, &api, patch).unwrap_err();
        assert!(refused.starts_with(message), "{refused}");
    }
}

#[test]
fn a_stage_may_have_a_cache() {
    let (mut world, api, _) = with_stage();
    let stage = update(&mut world, &api, patch("/cacheClusterEnabled", "true")).unwrap();
    assert_eq!(stage["cacheClusterStatus"], "AVAILABLE");
    assert_eq!(stage["cacheClusterSize"], "0.5");
    let stage = update(&mut world, &api, patch("/cacheClusterEnabled", "false")).unwrap();
    assert_eq!(stage.get("cacheClusterSize"), None);
}

#[test]
fn only_the_description_of_a_deployment_can_change() {
    let (mut world, api, deployment) = with_stage();
    let mut change = |path: &str| {
        let patches = patch(path, "said");
        let input = json!({ "api": api, "deployment": deployment, "patchOperations": patches });
        gateway(&mut world, "UpdateDeployment", input)
    };
    assert_eq!(change("/description").unwrap()["description"], "said");
    assert!(change("/id").unwrap_err().contains("Must be one of: [/description]"));
    let none = json!({ "api": api, "deployment": "none" });
    let refused = gateway(&mut world, "GetDeployment", none).unwrap_err();
    assert_eq!(refused, "Invalid Deployment identifier specified");
}
