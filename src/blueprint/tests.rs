//! The shipped configs, from their files to the blueprint.

use std::path::Path;

use super::*;
use crate::config::load;

fn shipped() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn facts() -> Facts {
    Facts { account: "123456789012".into(), ..Facts::placeholder("us-east-1") }
}

fn blueprint(env: &str) -> Blueprint {
    let show = |problems: Vec<Problem>| -> Blueprint {
        panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>())
    };
    match load(&shipped(), env, &|_| None) {
        Ok(loaded) => build(&loaded, &facts()).unwrap_or_else(show),
        Err(problems) => show(problems),
    }
}

#[test]
fn the_shipped_configs_build() {
    let long = format!("pr-{}", "7".repeat(40));
    for env in ["dev", "staging", "prod", "pr-123", "pr7255", &long] {
        let blueprint = blueprint(env);
        assert!(blueprint.resources.len() > 50, "{env} has {}", blueprint.resources.len());
        assert_eq!(blueprint.protect, env == "prod");
        for desired in blueprint.resources.values() {
            assert!(desired.origin.contains(".toml:"), "{desired:?}");
        }
    }
}
