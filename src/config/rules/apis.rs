//! The rules of `[apis]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::apis::{Api, Authorizer, Cors, Route, Usage};
use crate::config::schema::text::ItemName;
use crate::words::apis::{Endpoint, Gets, LogLevel};

/// The most authorizers of an API.
const AUTHORIZERS: usize = 10;

/// The most paths of an API, including its root.
const PATHS: usize = 300;

impl Rules<'_> {
    pub(super) fn apis(&mut self) {
        for (name, api) in &self.config.apis {
            let path = KeyPath::of("apis").key(name);
            if api.routes.is_empty() {
                let fix = format!("add [apis.{}.routes.\"POST /path\"]", &**name);
                self.say(&path, "an API needs at least one route", fix);
            }
            self.resource_statements(&path, &api.statements);
            self.paths(&path, api);
            for (route, config) in &api.routes {
                self.route(&path.key("routes").key(route), route, config, api);
            }
            self.models(&path, api);
            self.authorizers(&path, api);
            let log = path.key("log").key("retention_days");
            self.retention(&log, api.log.retention_days);
            if api.log.data_trace && api.log.level == LogLevel::Off {
                let path = path.key("log").key("data_trace");
                self.say(
                    &path,
                    "`data_trace` writes into the execution log, which is off",
                    "set `level`",
                );
            }
            self.security_policy(&path, api);
            self.api_domain(&path, api);
            self.traces(&path, api);
            self.variables(&path, api);
            if let Some(cors) = &api.cors {
                self.cors(&path, cors);
            }
            self.usage(&path, api);
        }
    }

    /// The domain name of an API.
    fn api_domain(&mut self, path: &KeyPath, api: &Api) {
        let Some(domain) = &api.domain else { return };
        let path = path.key("domain");
        if api.endpoint == Endpoint::Edge {
            let message = "only a regional API can have a domain name here";
            self.say(&path, message, "set `endpoint = \"regional\"` for the API");
        }
        self.certificate(&path.key("certificate"), &domain.certificate);
        self.covers(&path.key("name"), &domain.certificate, &domain.name);
        let zone = self.config.zone_for(domain.zone.as_ref());
        self.in_zone(&path.key("name"), &domain.name, zone);
    }

    /// Edge endpoints have their own policies.
    fn security_policy(&mut self, path: &KeyPath, api: &Api) {
        let Some(policy) = &api.security_policy else { return };
        let newer = policy.starts_with("SecurityPolicy_");
        let of_edge = policy.ends_with("_EDGE");
        if newer && of_edge != (api.endpoint == Endpoint::Edge) {
            let path = path.key("security_policy");
            let fix = if of_edge {
                "use for example SecurityPolicy_TLS13_1_2_2021_06"
            } else {
                "use for example SecurityPolicy_TLS13_2025_EDGE"
            };
            self.say(&path, "this policy is for another type of endpoint", fix);
        }
    }

    /// The rules that the paths of an API must keep together.
    fn paths(&mut self, path: &KeyPath, api: &Api) {
        let mut all = BTreeSet::new();
        // The variable below each path, and the route that named it first.
        let mut variables: BTreeMap<String, &str> = BTreeMap::new();
        for route in api.routes.keys() {
            let at = path.key("routes").key(route);
            let target = route.split_once(' ').map_or("/", |(_, target)| target);
            if target.len() > 1 && target.ends_with('/') {
                let fix = format!("write `{}`", target.trim_end_matches('/'));
                self.say(&at, "a path must not end in a slash", fix);
                continue;
            }
            let mut above = String::new();
            let mut seen = BTreeSet::new();
            let steps: Vec<&str> =
                target.split('/').skip(1).filter(|step| !step.is_empty()).collect();
            for (number, step) in steps.iter().enumerate() {
                if step.ends_with("+}") && number + 1 < steps.len() {
                    let message = format!("`{step}` matches the rest of the path");
                    self.say(&at, message, "remove the steps after it");
                }
                if step.starts_with('{') {
                    let before = *variables.entry(above.clone()).or_insert(step);
                    if before != *step {
                        let message = format!("`{step}` and `{before}` are at the same place");
                        self.say(
                            &at,
                            message,
                            "use the same name: API Gateway allows one variable at a place",
                        );
                    }
                    if !seen.insert(step.trim_end_matches("+}").trim_end_matches('}').to_owned()) {
                        let message = format!("`{step}` appears twice");
                        self.say(&at, message, "give each variable its own name");
                    }
                }
                above = format!("{above}/{step}");
                all.insert(above.clone());
            }
        }
        if all.len() >= PATHS {
            let message = format!("too many paths: {}", all.len() + 1);
            self.say(
                path,
                message,
                format!("use variables: AWS allows at most {PATHS}, including the root"),
            );
        }
    }

    fn route(&mut self, path: &KeyPath, name: &str, route: &Route, api: &Api) {
        let behind = [
            ("function", route.function.is_some()),
            ("load_balancer", route.load_balancer.is_some()),
            ("url", route.url.is_some()),
        ];
        let behind: Vec<&str> =
            behind.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
        let said = ["function", "load_balancer", "url"];
        match behind.as_slice() {
            [] if !said.iter().any(|key| self.loaded.says(path, key)) => {
                let fix = "set `function`, `load_balancer` with `vpc_link`, or `url`";
                self.say(path, "the route has no backend", fix);
            }
            [] | [_] => {}
            [first, second, ..] => {
                let message = format!("`{first}` and `{second}` cannot be used together");
                self.say(&path.key(second), message, "remove one");
            }
        }
        if route.load_balancer.is_some() && !self.loaded.says(path, "vpc_link") {
            let fix = "set `vpc_link` to one of [vpc_links]";
            self.say(path, "`vpc_link` is missing: an API reaches a load balancer through it", fix);
        }
        self.listens(path, route);
        for key in ["vpc_link", "path", "port"] {
            if self.loaded.says(path, key) && !self.loaded.says(path, "load_balancer") {
                let path = path.key(key);
                self.say(&path, format!("`{key}` needs `load_balancer`"), "remove it");
            }
        }
        self.backend(path, name, route);
        self.waits_long_enough(path, route);
        self.authorization(path, route, api);
        if let Some(model) = route.body() {
            let names: Vec<&str> = api.models.keys().map(|model| &**model).collect();
            let at = path.key("model");
            if !names.contains(&&**model) {
                let fix = suggest(model, names.iter().copied(), "models of this API");
                self.say(&at, format!("the API has no model `{}`", model.0), fix);
            }
            let checked = api.validator.as_ref().is_some_and(|validator| validator.body);
            if !checked || !route.validate {
                self.say(
                    &at,
                    "the model has no effect: requests are not validated",
                    "set `validator` of the API, and `validate = true`",
                );
            }
        }
        // A method without a body is checked only for its parameters.
        let has_body =
            !["DELETE ", "GET ", "HEAD ", "OPTIONS "].iter().any(|m| name.starts_with(m));
        let checks = route.validate && api.validator.as_ref().is_some_and(|all| all.body);
        if has_body && checks && route.model.is_none() && !self.loaded.says(path, "model") {
            self.say(
                path,
                "the validator checks bodies against a model, but this route has none: every body passes",
                "set `model`, or set `model = \"none\"` if every body may pass",
            );
        }
        if route.api_key && api.usage.as_ref().is_none_or(|usage| usage.keys.is_empty()) {
            let path = path.key("api_key");
            self.say(&path, "the API has no API key", "add `usage = { keys = [...] }` to the API");
        }
    }

    /// A route must name an authorizer of its API.
    fn authorization(&mut self, path: &KeyPath, route: &Route, api: &Api) {
        let name = &*route.authorization;
        let found = api.authorizers.get(&ItemName(name.to_owned()));
        if found.is_none() && !["iam", "none"].contains(&name) {
            let path = path.key("authorization");
            let names = api.authorizers.keys().map(|name| &**name).chain(["iam", "none"]);
            let fix = suggest(name, names, "authorizers of this API");
            self.say(&path, format!("the API has no authorizer `{name}`"), fix);
        }
        let pools = found.is_some_and(|found| found.user_pools.iter().next().is_some());
        if !route.scopes.is_empty() && !pools {
            let path = path.key("scopes");
            let fix = "name an authorizer with `user_pools`, or remove it";
            self.say(&path, "scopes need an authorizer with user pools", fix);
        }
    }

    fn authorizers(&mut self, path: &KeyPath, api: &Api) {
        if api.authorizers.len() > AUTHORIZERS {
            let path = path.key("authorizers");
            let message = format!("too many authorizers: {}", api.authorizers.len());
            self.say(&path, message, format!("use at most {AUTHORIZERS} in one API"));
        }
        for (name, authorizer) in &api.authorizers {
            let path = path.key("authorizers").key(name);
            if ["iam", "none"].contains(&&**name) {
                self.say(&path, "this name is reserved", "choose another name");
            }
            self.authorizer(&path, authorizer);
            if !api.routes.values().any(|route| *route.authorization == **name) {
                let fix = format!("set `authorization = \"{}\"` on a route, or remove it", &**name);
                self.say(&path, "no route uses this authorizer", fix);
            }
        }
    }

    fn authorizer(&mut self, path: &KeyPath, authorizer: &Authorizer) {
        let pools = authorizer.user_pools.iter().next().is_some();
        let says = |key| self.loaded.says(path, key);
        let (by_pools, by_function) = (pools || says("user_pools"), says("function"));
        match (by_pools, by_function) {
            (false, false) => {
                let fix = "set `user_pools`, or `function`";
                self.say(path, "the authorizer checks nothing", fix);
            }
            (true, true) => {
                let path = path.key("function");
                self.say(
                    &path,
                    "`user_pools` and `function` cannot be used together",
                    "remove one",
                );
            }
            (true, false) => {
                for key in ["gets", "cache_seconds"] {
                    if self.loaded.says(path, key) {
                        let path = path.key(key);
                        self.say(&path, format!("`{key}` needs `function`"), "remove it");
                    }
                }
            }
            (false, true) => {}
        }
        let at = path.key("identity");
        let sources: Vec<&str> = authorizer.identity.iter().map(|source| &**source).collect();
        let one_header = matches!(*sources, [source] if source.starts_with("header."));
        let gets_token = pools || authorizer.gets == Gets::Token;
        if gets_token && !one_header {
            let fix = "use one `header.NAME`; a function with `gets = \"request\"` may have several sources";
            self.say(&at, "a token comes from one header", fix);
        }
        if !gets_token && sources.is_empty() && authorizer.cache_seconds > 0 {
            let fix = "set `identity`, or set `cache_seconds = 0`";
            self.say(&at, "API Gateway cannot cache an answer without an identity", fix);
        }
    }

    /// Card numbers in logs need a second confirmation.
    fn traces(&mut self, path: &KeyPath, api: &Api) {
        let path = path.key("log").key("data_trace");
        if api.log.data_trace && !api.log.card_numbers_in_logs {
            self.say(
                &path,
                "the log would contain whole requests, with every card number in them",
                "remove it, or also set `card_numbers_in_logs = true`",
            );
        }
    }

    /// A load balancer must listen on the port of the route.
    fn listens(&mut self, path: &KeyPath, route: &Route) {
        let Some(name) = &route.load_balancer else { return };
        let Some(found) = self.config.load_balancers.get(&ItemName(name.0.clone())) else { return };
        let mut ports = found.listeners.iter().map(|listener| listener.port);
        let whole = ports.len()
            == self.loaded.length(&KeyPath::of("load_balancers").key(name).key("listeners"));
        if whole && ports.all(|port| port != route.port) {
            let path = path.key("port");
            let message = format!("`{}` does not listen on port {}", name.0, route.port);
            let fix = "set `port` to the port of one of its listeners, or add a listener";
            self.say(&path, message, fix);
        }
    }

    /// A backend can use only the variables of the path.
    fn backend(&mut self, path: &KeyPath, name: &str, route: &Route) {
        let url = route.url.as_deref();
        if let Some(url) = url
            && !["http://", "https://", "${"].iter().any(|start| url.starts_with(start))
        {
            let path = path.key("url");
            self.say(
                &path,
                format!("`{url}` is not a URL"),
                "write a URL that begins with https:// or http://",
            );
        }
        for (key, text) in [("url", url), ("path", route.path.as_deref())] {
            let text = text.unwrap_or_default();
            for (at, _) in text.match_indices('{').filter(|(at, _)| !text[..*at].ends_with('$')) {
                let variable = text[at + 1..].split('}').next().unwrap_or_default();
                let variable = variable.trim_end_matches('+');
                let known = [format!("{{{variable}}}"), format!("{{{variable}+}}")];
                if !known.iter().any(|known| name.contains(known)) {
                    let path = path.key(key);
                    let message = format!("the path of the route has no `{{{variable}}}`");
                    self.say(&path, message, "use only variables of the route");
                }
            }
        }
    }

    /// The caller of a function that takes longer gets no answer, while the function continues.
    fn waits_long_enough(&mut self, path: &KeyPath, route: &Route) {
        let Some(function) = &route.function else { return };
        let seconds =
            self.loaded.number(&KeyPath::of("functions").key(function.parts().0).key("timeout"));
        if let Some(seconds) = seconds.filter(|seconds| *seconds > 29)
            && route.timeout_ms.is_none()
        {
            let message = format!(
                "`{}` may take {seconds} seconds, but API Gateway waits only 29",
                function.0
            );
            let fix = "lower the function's `timeout` to 28, or set `timeout_ms = 29000` here to accept this";
            self.say(&path.key("function"), message, fix);
        }
    }

    fn models(&mut self, path: &KeyPath, api: &Api) {
        for (name, schema) in &api.models {
            let path = path.key("models").key(name);
            match serde_json::from_str::<Value>(schema) {
                Ok(Value::Object(_)) => {}
                Ok(_) => self.say(
                    &path,
                    "a schema must be a JSON object",
                    r#"write for example {"type": "object"}"#,
                ),
                Err(error) => {
                    self.say(
                        &path,
                        format!("this is not JSON: {error}"),
                        r#"write for example {"type": "object"}"#,
                    );
                }
            }
            if ["Empty", "Error"].contains(&&**name) {
                self.say(
                    &path,
                    "AWS adds a model of this name to every API",
                    "choose another name",
                );
            }
            if &**name == "none" {
                self.say(&path, "`none` is a reserved name", "choose another name");
            }
        }
    }

    fn variables(&mut self, path: &KeyPath, api: &Api) {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(c);
        for (name, value) in &api.variables {
            if !value.contains("${") && !value.chars().all(fine) {
                let path = path.key("variables").key(name);
                let fix = "use letters, digits and - . _ ~ : / ? # & = ,";
                self.say(&path, format!("`{}` is not a valid value", value.0), fix);
            }
        }
    }

    fn cors(&mut self, path: &KeyPath, cors: &Cors) {
        let path = path.key("cors").key("origins");
        let all = cors.origins.iter().any(|origin| &**origin == "*");
        let number = cors.origins.iter().count();
        if number == 0 {
            self.say(&path, "no origins are named", "write \"https://shop.example.com\", or \"*\"");
        }
        if all && number > 1 {
            self.say(&path, "`*` already includes every other origin", "remove the others, or `*`");
        }
        if all && cors.credentials {
            self.say(
                &path,
                "browsers do not send cookies to `*`",
                "name the origins, or remove `credentials`",
            );
        }
    }

    fn usage(&mut self, path: &KeyPath, api: &Api) {
        let Some(Usage { throttle, .. }) = &api.usage else { return };
        let path = path.key("usage");
        if !api.routes.values().any(|route| route.api_key) {
            self.say(&path, "no route needs an API key", "set `api_key = true` on a route");
        }
        if let (Some(key), Some(all)) = (throttle, &api.throttle)
            && (key.rate > all.rate || key.burst > all.burst)
        {
            let path = path.key("throttle");
            self.say(
                &path,
                "one key may send more than the API allows",
                "lower it, or raise `throttle` of the API",
            );
        }
    }
}
