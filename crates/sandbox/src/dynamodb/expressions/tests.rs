//! Expressions, read and applied.

use serde_json::json;

use super::*;

fn item() -> Value {
    json!({
        "id": { "S": "payment-1" }, "n": { "N": "10" }, "tags": { "SS": ["a", "b"] },
        "list": { "L": [{ "N": "1" }, { "S": "x" }] },
        "map": { "M": { "deep": { "M": { "n": { "N": "5.0" } } }, "state": { "S": "open" } } },
    })
}

fn call(member: &str, expression: &str) -> Value {
    json!({
        member: expression,
        NAMES: { "#s": "state", "#n": "n" },
        VALUES: {
            ":one": { "N": "1" }, ":ten": { "N": "1e1" }, ":open": { "S": "open" },
            ":pay": { "S": "pay" }, ":a": { "S": "a" }, ":set": { "SS": ["b", "c"] },
            ":all": { "SS": ["b", "a"] }, ":list": { "L": [{ "N": "9" }] },
            ":number": { "S": "N" },
        },
    })
}

#[test]
fn conditions_hold_as_dynamodb_says() {
    for (expression, expected) in [
        ("#n = :ten", true),
        ("n <> :ten", false),
        ("missing <> :ten", true),
        ("missing = :ten", false),
        ("n BETWEEN :one AND :ten", true),
        ("n > :one AND NOT (n > :ten)", true),
        ("n < :one OR map.#s = :open", true),
        ("n < :one or map.#s = :open and n = :one", false),
        ("map.deep.#n IN (:one, :ten)", false),
        ("attribute_exists(map.deep) AND attribute_not_exists(map.none)", true),
        ("begins_with(id, :pay)", true),
        ("contains(tags, :a)", true),
        ("contains(id, :a)", true),
        ("contains(list, :one)", true),
        ("size(list) > :one", true),
        ("tags = :all", true),
        ("attribute_type(n, :number)", true),
        ("list[1] = :open", false),
        ("n = :pay", false),
    ] {
        let call = call("ConditionExpression", expression);
        let names = Names::of(&call);
        let read = condition(&names, "ConditionExpression").unwrap().unwrap();
        assert_eq!(read.holds(&item()), expected, "{expression}");
    }
}

#[test]
fn updates_change_what_they_name() {
    let updated = |expression: &str| {
        let call = call("UpdateExpression", expression);
        update(&Names::of(&call)).unwrap().applied(&item()).map_err(|error| error.message)
    };
    let new =
        updated("SET n = n + :one, map.deep.#n = n - :ten, fresh = if_not_exists(fresh, :one)");
    let new = new.unwrap();
    assert_eq!(new["n"], json!({ "N": "11" }));
    assert_eq!(new["map"]["M"]["deep"]["M"]["n"], json!({ "N": "0" }));
    assert_eq!(new["fresh"], json!({ "N": "1" }));
    let new =
        updated("ADD n :one, tags :set REMOVE map.#s, list[0] SET more = list_append(list, :list)");
    let new = new.unwrap();
    assert_eq!(new["n"], json!({ "N": "11" }));
    assert_eq!(new["tags"], json!({ "SS": ["a", "b", "c"] }));
    assert_eq!(new["map"]["M"].get("state"), None);
    assert_eq!(new["list"], json!({ "L": [{ "S": "x" }] }));
    assert_eq!(new["more"]["L"].as_array().unwrap().len(), 3);
    assert_eq!(updated("DELETE tags :all").unwrap().get("tags"), None);
    assert!(updated("SET x = missing").unwrap_err().contains("does not exist"));
    assert!(updated("SET x = id + :one").unwrap_err().contains("Incorrect operand type"));
    assert!(updated("SET no.such = :one").unwrap_err().contains("invalid for update"));
}

#[test]
fn wrong_expressions_are_named() {
    let refused = |expression: &str| {
        let call = call("ConditionExpression", expression);
        let names = Names::of(&call);
        let read = condition(&names, "ConditionExpression");
        read.map(|_| ()).and_then(|()| names.all_used()).unwrap_err().message
    };
    for (expression, message) in [
        ("", "The expression can not be empty;"),
        ("n =", "Syntax error; token: \"<EOF>\""),
        ("n = :ten )", "Syntax error; token: \")\""),
        ("n ! :ten", "Syntax error; token: \"!\""),
        ("#none = :ten", "attribute name: #none"),
        ("n = :none", "attribute value: :none"),
        ("nothing(n)", "Invalid function name; function: nothing"),
        ("n = :ten", "Value provided in ExpressionAttributeNames unused"),
    ] {
        let refused = refused(expression);
        assert!(refused.contains(message), "{expression}: {refused}");
    }
    let deep = format!("{}n = :ten{}", "(".repeat(100), ")".repeat(100));
    assert!(refused(&deep).contains("nesting"));
}
