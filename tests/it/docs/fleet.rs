//! `docs/fleet.md`: each example can be read, and fits what `payctl env list --matrix` prints.

use std::process::Command;

use payctl::ui::environments::{Matrix, matrix, row};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::read;
use crate::moto::environment;

/// The blocks of a language on the page, in their order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let after = page.split(start.as_str()).skip(1);
    after.map(|text| text.split("```").next().expect("a block").to_owned()).collect()
}

/// YAML as JSON, read by PyYAML.
fn yaml(text: &str) -> Value {
    let code = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let python = environment().join("bin/python");
    let output = Command::new(python).args(["-c", code, text]).output().expect("Python starts");
    assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What payctl prints for one environment.
fn printed(form: Matrix) -> String {
    let tags = payctl_engine::model::live::Tags::new();
    let rows = [row(("payment", "dev", "us-east-1"), &[&tags], OffsetDateTime::UNIX_EPOCH)];
    matrix(&rows, form)
}

fn keys(object: &Value) -> Vec<String> {
    object.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

/// The words after a mark, as `$.env` after `$.`.
fn named(text: &str, mark: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after = text.split(mark).skip(1);
    after.map(|rest| rest.split(|c| !is_word(c)).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_example_for_a_fleet_is_well_formed() {
    let page = read("docs/fleet.md");
    for form in [Matrix::Github, Matrix::Gitlab, Matrix::Json] {
        assert!(page.contains(printed(form).trim()), "the page does not show {}", printed(form));
    }
    let yamls: Vec<Value> = blocks(&page, "yaml").iter().map(|text| yaml(text)).collect();
    let [caller, called, gitlab, child] = yamls.as_slice() else { panic!("{}", yamls.len()) };

    // GitHub: the inputs of the one are those of the other, and the matrix has what its steps read.
    let job = &caller["jobs"]["account"];
    assert_eq!(job["uses"], "./.github/workflows/fleet-account.yml");
    // `on` is a truth value to YAML 1.1.
    let inputs = &called["true"]["workflow_call"]["inputs"];
    assert_eq!(keys(&job["with"]), keys(inputs));
    for name in named(&job["with"].to_string(), "matrix.") {
        assert!(job["strategy"]["matrix"][&name].is_array(), "{name}");
    }
    let include: Value = serde_json::from_str(&printed(Matrix::Github)).expect("JSON");
    let plan = &called["jobs"]["plan"];
    let read_by_steps = named(&plan["steps"].to_string(), "matrix.");
    assert!(read_by_steps.len() > 2, "{read_by_steps:?}");
    for name in read_by_steps {
        assert!(include["include"][0][&name].is_string(), "{name}");
    }
    for name in named(&plan.to_string(), "needs.list.outputs.") {
        assert!(called["jobs"]["list"]["outputs"][&name].is_string(), "{name}");
    }
    for step in called["jobs"].as_object().expect("jobs").values().flat_map(|job| {
        job["steps"].as_array().expect("steps").iter().filter_map(|step| step["run"].as_str())
    }) {
        assert!(!step.contains("${{"), "a value in the text of a script: {step}");
    }

    // GitLab: the child extends the job that payctl prints, and reads its variables.
    let hidden: Value = serde_json::from_str(&printed(Matrix::Gitlab)).expect("JSON");
    let job = &hidden[child["plan"]["extends"].as_str().expect("a name")];
    let variables = &job["parallel"]["matrix"][0];
    for name in ["PAYCTL_ENV", "PAYCTL_PROJECT", "AWS_REGION"] {
        assert!(child["plan"]["script"].to_string().contains(&format!("${name}")), "{name}");
        assert!(variables[name].is_string(), "{name}");
    }
    let artifact = &gitlab["run"]["trigger"]["include"][0];
    assert_eq!(artifact["artifact"], gitlab["list"]["artifacts"]["paths"][0]);
    assert!(gitlab[artifact["job"].as_str().expect("a name")]["script"].is_array());

    // The lists of all accounts have the members of payctl's and the account.
    let mut item: Value = serde_json::from_str::<Vec<Value>>(&printed(Matrix::Json))
        .map(|mut items| items.remove(0))
        .expect("JSON");
    item["account"] = json!("111111111111");
    let jsons = blocks(&page, "json");
    let [machine, template] = jsons.as_slice() else { panic!("{}", jsons.len()) };
    let machine: Value = serde_json::from_str(machine).expect("a state machine");
    let map = &machine["States"][machine["StartAt"].as_str().expect("a state")];
    let inner = &map["ItemProcessor"];
    let task = &inner["States"][inner["StartAt"].as_str().expect("a state")];
    let command = &task["Parameters"]["Overrides"]["ContainerOverrides"][0]["Command.$"];
    let command = command.as_str().expect("an expression");
    assert_eq!(command.matches('(').count(), command.matches(')').count());
    let read_by_task = named(command, "$.");
    assert_eq!(read_by_task, ["env", "region", "account"]);
    for name in read_by_task {
        assert!(item[&name].is_string(), "{name}");
    }

    // Kubernetes: a job that the filter of the page adds arguments to.
    let template: Value = serde_json::from_str(template).expect("a job");
    assert_eq!((&template["apiVersion"], &template["kind"]), (&json!("batch/v1"), &json!("Job")));
    let container = &template["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"][0], "plan");
    let shell = blocks(&page, "sh").join("\n");
    for name in named(&shell, "$one.") {
        assert!(item[&name].is_string(), "{name}");
    }
    // Annotations are texts.
    let texts: &Map<String, Value> = item.as_object().expect("an object");
    assert!(texts.values().all(Value::is_string));
}
