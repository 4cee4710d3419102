//! `[apis]`: an API with its stage, logs, keys, and its permissions to call functions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::aws::kinds::apigateway::account::Account;
use crate::aws::kinds::apigateway::api_key::ApiKey;
use crate::aws::kinds::apigateway::definition::{Model, Validator, paths, split};
use crate::aws::kinds::apigateway::domain_name::DomainName;
use crate::aws::kinds::apigateway::rest_api::RestApi;
use crate::aws::kinds::apigateway::stage::{AccessLog, ExecutionLog, Settings, Stage, Throttle};
use crate::aws::kinds::apigateway::usage_plan::{Quota, UsagePlan};
use crate::config::KeyPath;
use crate::config::schema::apis::{
    Api, ApiDomain, ApiLog, ApiThrottle, FunctionPermissions, Usage,
};
use crate::words::apis::LogLevel;
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

use super::functions::named_callee;
use super::log_groups::Kept;
use super::network::id;
use super::permissions::Caller;
use super::{Builder, Item, naming};

mod routes;

/// The fields of the access log: everything that API Gateway knows about a request, except its content.
const ACCESS: &[(&str, &str)] = &[
    ("requestId", "requestId"),
    ("extendedRequestId", "extendedRequestId"),
    ("requestTime", "requestTime"),
    ("ip", "identity.sourceIp"),
    ("userAgent", "identity.userAgent"),
    ("caller", "identity.caller"),
    ("user", "identity.user"),
    ("apiKeyId", "identity.apiKeyId"),
    ("domainName", "domainName"),
    ("apiId", "apiId"),
    ("stage", "stage"),
    ("httpMethod", "httpMethod"),
    ("resourcePath", "resourcePath"),
    ("path", "path"),
    ("protocol", "protocol"),
    ("status", "status"),
    ("responseLength", "responseLength"),
    ("responseLatency", "responseLatency"),
    ("integrationStatus", "integration.status"),
    ("integrationLatency", "integration.latency"),
    ("integrationError", "integration.error"),
    ("integrationRequestId", "integration.requestId"),
    ("errorType", "error.responseType"),
    ("errorMessage", "error.message"),
    ("wafStatus", "waf.status"),
    ("xrayTraceId", "xrayTraceId"),
];

/// The oldest TLS of a domain name.
const TLS: &str = "TLS_1_2";

impl Builder<'_> {
    pub(super) fn apis(&mut self) {
        for (key, config) in &self.config.apis {
            let path = &KeyPath::of("apis").key(key);
            let name = self.item_name("apigateway.rest_api", key, config.name.as_ref(), path);
            self.rest_api(key, config, name.clone(), path);
            if config.log.is_on() {
                self.log_role(path);
            }
            self.stage(key, config, &name, path);
            if let Some(domain) = &config.domain {
                self.api_domain(key, domain, path);
            }
            if let Some(usage) = &config.usage {
                self.usage(key, config, usage, path);
            }
            self.callers_of(key, config);
        }
    }

    fn rest_api(&mut self, key: &str, config: &Api, name: String, path: &KeyPath) {
        let address = Address::new("apigateway.rest_api", key);
        let statements = config.statements.iter();
        let statements: Vec<_> =
            statements.map(|found| self.statement(found, &address, json!("*"))).collect();
        let validator = config.validator.as_ref().map(|wanted| {
            let name =
                wanted.name.as_ref().map(|name| name.replace("${account}", &self.facts.account));
            let found = Validator { body: wanted.body, parameters: wanted.parameters };
            (name, found)
        });
        let validator =
            validator.map(|(given, found)| (given.unwrap_or(format!("{name}-validator")), found));
        let models = config.models.iter().map(|(model, schema)| {
            let schema = serde_json::from_str(schema).unwrap_or_default();
            (model.0.clone(), Model { description: String::new(), schema })
        });
        let routes = self.routes(config, validator.as_ref().map(|(name, _)| name.as_str()));
        let spec = RestApi {
            name: name.clone(),
            description: config.description.clone(),
            endpoint: config.endpoint.aws().into(),
            policy: (!statements.is_empty()).then(|| Document::of(statements)),
            binary_types: config.binary_types.clone(),
            minimum_compression: config.minimum_compression,
            key_source: "HEADER".into(),
            models: models.collect(),
            validators: validator.into_iter().collect(),
            authorizers: self.authorizers(config),
            paths: paths(routes.keys()),
            routes,
            security_policy: config.security_policy.as_ref().map(|policy| policy.0.clone()),
            failed_update: None,
        };
        self.add(Item::new(address, name, path), &spec);
    }

    /// The role of the account, once for all APIs that log.
    fn log_role(&mut self, path: &KeyPath) {
        let address = Address::new("apigateway.account", "main");
        if !self.resources.contains_key(&address) {
            let role = format!("payctl-apigateway-logs-{}", self.facts.region);
            let spec = Account { role: role.clone(), boundary: self.boundary(None) };
            self.add(Item::new(address, role, path), &spec);
        }
    }

    fn stage(&mut self, key: &str, config: &Api, api_name: &str, path: &KeyPath) {
        let api = |output| Text::reference(Address::new("apigateway.rest_api", key), output);
        let log = &config.log;
        let stage = self.stage_name(config);
        let retention_days = log.retention_days.days();
        let log_key = log.key.as_ref().map(|key| self.key(key));
        let access_log = log.access.then(|| self.access_log(key, config, api_name, path));
        let address = Address::new("apigateway.stage", key);
        let shift = self.shift_of(&address);
        if access_log.is_some() && shift.is_some() {
            // API Gateway writes the requests of a canary there.
            let (logical, name) =
                (format!("api-{key}-canary"), format!("{}/Canary", access_name(api_name)));
            self.log_group(&logical, name, kept(log), path);
        }
        let settings = Settings {
            log_level: log.level.aws().into(),
            data_trace: log.data_trace,
            metrics: log.metrics,
            throttle: config.throttle.map(throttle),
        };
        let variables = config.variables.iter();
        let variables = variables.map(|(name, value)| (name.0.clone(), self.text(value)));
        let execution_log =
            (log.level != LogLevel::Off).then_some(ExecutionLog { retention_days, key: log_key });
        let spec = Stage {
            api: api(Output::Id),
            name: stage.clone(),
            deployment: api(Output::Version),
            description: config.stage_description.as_ref().unwrap_or(&config.description).clone(),
            access_log,
            methods: BTreeMap::from([("*/*".to_owned(), settings)]),
            variables: variables.collect(),
            tracing: config.tracing,
            canary_log: execution_log.clone().filter(|_| shift.is_some()),
            execution_log,
            shift,
            canary: None,
        };
        let mut item = Item::new(address, format!("{api_name}/{stage}"), path);
        if log.is_on() {
            item.after = BTreeSet::from([Address::new("apigateway.account", "main")]);
        }
        self.add(item, &spec);
    }

    fn access_log(&mut self, key: &str, config: &Api, api_name: &str, path: &KeyPath) -> AccessLog {
        let (logical, name) = (format!("api-{key}"), access_name(api_name));
        let address = self.log_group(&logical, name, kept(&config.log), path);
        let fields: Vec<String> =
            ACCESS.iter().map(|(name, from)| format!("\"{name}\":\"$context.{from}\"")).collect();
        AccessLog {
            group: Text::reference(address, Output::Arn),
            format: format!("{{{}}}", fields.join(",")),
        }
    }

    fn api_domain(&mut self, key: &str, domain: &ApiDomain, path: &KeyPath) {
        let path = &path.key("domain");
        let base_path = domain.base_path.as_ref().map_or("", |path| &path.0);
        let spec = DomainName {
            name: domain.name.0.clone(),
            certificate: self.certificate(&domain.certificate),
            security_policy: TLS.to_owned(),
            mappings: BTreeMap::from([(base_path.to_owned(), id("apigateway.stage", key))]),
        };
        let address = Address::new("apigateway.domain_name", key);
        self.add(Item::new(address.clone(), domain.name.0.as_str(), path), &spec);
        let (name, zone) = (&domain.name, domain.zone.as_ref());
        self.alias_record(&format!("api-{key}"), name, zone, &address, path);
    }

    fn usage(&mut self, key: &str, config: &Api, usage: &Usage, path: &KeyPath) {
        let mut keys = BTreeSet::new();
        for holder in &usage.keys {
            let logical = format!("{key}-{}", holder.0);
            let address = Address::new("apigateway.api_key", logical.as_str());
            let name = self.item_name("apigateway.api_key", &logical, None, path);
            let spec = ApiKey {
                name: name.clone(),
                description: format!("Calls of {} by {}", key, holder.0),
                enabled: true,
            };
            self.add(Item::new(address.clone(), name, path), &spec);
            keys.insert(Text::reference(address, Output::Id));
        }
        let plan = path.key("usage");
        let name = self.item_name("apigateway.usage_plan", key, usage.name.as_ref(), &plan);
        let spec = UsagePlan {
            name: name.clone(),
            description: match usage.description.as_str() {
                "" => config.description.clone(),
                text => text.to_owned(),
            },
            stages: BTreeSet::from([id("apigateway.stage", key)]),
            throttle: usage.throttle.map(throttle),
            quota: usage.quota.map(|quota| Quota {
                limit: i32::try_from(quota.limit).unwrap_or(i32::MAX),
                period: quota.period.aws().into(),
            }),
            keys,
        };
        self.add(Item::new(Address::new("apigateway.usage_plan", key), name, path), &spec);
    }

    /// The name of the stage.
    fn stage_name(&self, config: &Api) -> String {
        config.stage.as_ref().map_or(&self.scope.env, |name| &name.0).clone()
    }

    /// The permissions of an API. Its id is followed by `STAGE/METHOD/PATH`, or `authorizers/ID`.
    fn callers_of(&mut self, key: &str, config: &Api) {
        let routes = config.routes.iter();
        let routes =
            routes.filter_map(|(route, it)| Some((route, named_callee(it.function.as_ref()?))));
        let authorizers = config.authorizers.values();
        let authorizers = authorizers.filter_map(|it| it.function.as_ref()).map(named_callee);
        let mut callers = BTreeSet::new();
        match config.function_permissions {
            // One statement for each function, for any number of routes: the size of a policy is limited.
            FunctionPermissions::Api => {
                let functions = routes.map(|(_, function)| function).chain(authorizers);
                let all = functions.map(|it| (it, format!("api-{key}"), "*/*".to_owned()));
                callers.extend(all);
            }
            FunctionPermissions::Route => {
                let stage = self.stage_name(config);
                for (route, function) in routes {
                    // Two paths may have the same letters and digits, so the id holds a digest.
                    let sid = format!("api-{key}-{}", naming::digest(route));
                    let method = method_arn(route);
                    let tests = format!("{TESTS}/{method}");
                    callers.insert((function.clone(), format!("{sid}-test"), tests));
                    callers.insert((function, sid, format!("{stage}/{method}")));
                }
                let sid = format!("api-{key}-authorizers");
                let all = authorizers.map(|it| (it, sid.clone(), "authorizers/*".to_owned()));
                callers.extend(all);
            }
        }
        let super::Facts { account, region, partition, .. } = self.facts;
        let api = Text::from(format!("arn:{partition}:execute-api:{region}:{account}:"));
        let api = api.then(id("apigateway.rest_api", key)).then("/");
        for (function, sid, to) in callers {
            let source = api.clone().then(to);
            self.may_call(function, Caller { sid, service: "apigateway.amazonaws.com", source });
        }
    }
}

/// The stage of the calls that test a method, in the console or by `TestInvokeMethod`.
const TESTS: &str = "test-invoke-stage";

/// `POST /orders/{id}` in an ARN: `POST/orders/*`.
fn method_arn(route: &str) -> String {
    let (method, path) = split(route);
    let method = if method == "ANY" { "*" } else { method };
    let steps = path.split('/').map(|step| if step.starts_with('{') { "*" } else { step });
    format!("{method}{}", steps.collect::<Vec<_>>().join("/"))
}

/// The log group of the access log of an API.
fn access_name(api_name: &str) -> String {
    format!("/aws/apigateway/{api_name}")
}

/// How the log groups of an API keep their events.
fn kept(log: &ApiLog) -> Kept<'_> {
    Kept { retention: log.retention_days, class: log.class, key: log.key.as_ref() }
}

fn throttle(config: ApiThrottle) -> Throttle {
    Throttle {
        rate: f64::from(config.rate),
        burst: i32::try_from(config.burst).unwrap_or(i32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_in_an_arn_has_no_names_of_variables() {
        assert_eq!(method_arn("POST /validate"), "POST/validate");
        assert_eq!(method_arn("ANY /orders/{id}/{rest+}"), "*/orders/*/*");
        assert_eq!(method_arn("GET /"), "GET/");
    }
}
