//! The routes of an API: the backend of each, and the answers to CORS preflight requests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::aws::kinds::apigateway::definition::{
    Answer, Authorizer as AuthorizerSpec, COGNITO, Integration, Link, Mapping, Route as Spec,
    TIMEOUT, split,
};
use crate::config::schema::apis::{Api, Authorizer, Cors, Route};
use crate::config::schema::text::{CalleeRef, ItemName};
use payctl_engine::model::address::Address;
use payctl_engine::model::text::{Output, Text};

use crate::blueprint::functions::callee_arn;
use crate::blueprint::network::id;
use crate::blueprint::{Builder, Facts};

impl Builder<'_> {
    /// All routes by method and path.
    pub(super) fn routes(&self, config: &Api, validator: Option<&str>) -> BTreeMap<String, Spec> {
        let routes = config.routes.iter();
        let mut routes: BTreeMap<String, Spec> = routes
            .map(|(name, route)| (name.0.clone(), self.route(name, route, config, validator)))
            .collect();
        if let Some(cors) = &config.cors {
            let paths: BTreeSet<String> =
                routes.keys().map(|route| split(route).1.to_owned()).collect();
            for path in paths {
                let allowed = methods(&routes, &path);
                routes.entry(format!("OPTIONS {path}")).or_insert_with(|| asked(cors, &allowed));
            }
        }
        routes
    }

    fn route(&self, name: &str, config: &Route, api: &Api, validator: Option<&str>) -> Spec {
        let (method, path) = split(name);
        let integration = self.integration(method, path, config);
        let parameters = config.parameters.iter().map(|(parameter, required)| {
            let (place, name) = parameter.split_once('.').unwrap_or_default();
            let place = if place == "query" { "querystring" } else { place };
            (format!("method.request.{place}.{name}"), *required)
        });
        // API Gateway needs a declaration of each path variable that a backend uses.
        let taken = integration.parameters.values().map(|from| (from.clone(), true));
        let by = config.authorization.0.as_str();
        let authorizer = api.authorizers.get(&ItemName(by.to_owned()));
        Spec {
            authorization: match (authorizer, by) {
                (Some(found), _) if found.function.is_some() => "CUSTOM".into(),
                (Some(_), _) => COGNITO.into(),
                (None, "none") => "NONE".into(),
                (None, _) => "AWS_IAM".into(),
            },
            authorizer: authorizer.map(|_| by.to_owned()),
            scopes: config.scopes.iter().map(|scope| scope.0.clone()).collect(),
            api_key_required: config.api_key,
            validator: validator.filter(|_| config.validate).map(str::to_owned),
            models: config
                .body()
                .into_iter()
                .map(|model| (JSON.to_owned(), model.0.clone()))
                .collect(),
            parameters: parameters.chain(taken).collect(),
            responses: BTreeMap::new(),
            integration: Some(integration),
        }
    }

    /// All authorizers by name.
    pub(super) fn authorizers(&self, config: &Api) -> BTreeMap<String, AuthorizerSpec> {
        let all = config.authorizers.iter();
        all.map(|(name, found)| (name.0.clone(), self.authorizer(found))).collect()
    }

    fn authorizer(&self, config: &Authorizer) -> AuthorizerSpec {
        let sources = config.identity.iter().map(|source| match source.split_once('.') {
            Some(("header", name)) => format!("method.request.header.{name}"),
            Some(("query", name)) => format!("method.request.querystring.{name}"),
            Some(("stage", name)) => format!("stageVariables.{name}"),
            _ => source.0.clone(),
        });
        let identity = sources.collect();
        let Some(function) = &config.function else {
            return AuthorizerSpec {
                kind: COGNITO.into(),
                pools: config.user_pools.iter().map(|pool| self.user_pool(pool)).collect(),
                uri: None,
                identity,
                cache_seconds: None,
            };
        };
        AuthorizerSpec {
            kind: config.gets.aws().into(),
            pools: BTreeSet::new(),
            uri: Some(self.invocations(function)),
            identity,
            cache_seconds: Some(config.cache_seconds),
        }
    }

    /// The ARN of a user pool, whose id begins with its region.
    fn user_pool(&self, pool: &str) -> String {
        let Facts { account, partition, .. } = self.facts;
        match pool.split_once('_') {
            Some((region, _)) if !pool.starts_with("arn:") => {
                format!("arn:{partition}:cognito-idp:{region}:{account}:userpool/{pool}")
            }
            _ => pool.to_owned(),
        }
    }

    /// How API Gateway calls a function.
    fn invocations(&self, function: &CalleeRef) -> Text {
        let Facts { region, partition, .. } = self.facts;
        let to = format!("arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/");
        Text::from(to).then(callee_arn(function)).then("/invocations")
    }

    fn integration(&self, method: &str, path: &str, config: &Route) -> Integration {
        let timeout_ms = config.timeout_ms.unwrap_or(TIMEOUT);
        if let Some(function) = &config.function {
            return Integration {
                method: Some("POST".into()),
                uri: Some(self.invocations(function)),
                timeout_ms,
                ..Integration::new("AWS_PROXY")
            };
        }
        let balancer = config.load_balancer.as_ref().map(|balancer| {
            let output =
                |output| Text::reference(Address::new("elb.load_balancer", &*balancer.0), output);
            let (scheme, port) = match config.port {
                80 => ("http://", String::new()),
                443 => ("https://", String::new()),
                other => ("http://", format!(":{other}")),
            };
            let path = config.path.as_ref().map_or(path, |path| &path.0).replace("+}", "}");
            let link = config.vpc_link.as_ref().map(|link| Link {
                id: id("apigateway.vpc_link", &link.0),
                target: Some(output(Output::Arn)),
            });
            let templates = link.iter().map(|_| (JSON.to_owned(), stripped(&path)));
            let templates = templates.collect();
            // Over TLS, the certificate must stand for the name by which API Gateway calls.
            let named = self.config.load_balancers.get(&ItemName(balancer.0.clone()));
            let named = named.and_then(|named| named.domain.as_ref());
            let host: Text = match named.filter(|_| config.port == 443) {
                Some(domain) => domain.name.0.as_str().into(),
                None => output(Output::Endpoint),
            };
            let uri = Text::from(scheme).then(host).then(port).then(path);
            (uri, link, templates)
        });
        let url = || self.text(config.url.as_deref().unwrap_or_default());
        let (uri, link, templates) = balancer.unwrap_or_else(|| (url(), None, BTreeMap::new()));
        let parameters = variables(&uri.to_string()).into_iter().map(|name| {
            (format!("integration.request.path.{name}"), format!("method.request.path.{name}"))
        });
        Integration {
            method: Some(method.into()),
            parameters: parameters.collect(),
            uri: Some(uri),
            link,
            templates,
            timeout_ms,
            ..Integration::new("HTTP_PROXY")
        }
    }
}

/// Makes a private integration send its own path. AWS's guide says that the name of the stage would
/// otherwise precede it. API Gateway uses this template for JSON bodies, and for requests without
/// a body and a content type.
fn stripped(path: &str) -> String {
    let names = variables(path);
    let path = names.into_iter().fold(path.to_owned(), |path, name| {
        path.replace(&format!("{{{name}}}"), &format!("$input.params('{name}')"))
    });
    format!("#set($context.requestOverride.path = \"{path}\")$input.body")
}

const JSON: &str = "application/json";

/// The names of `{variables}` in a path; `${...}` is not one.
fn variables(text: &str) -> Vec<String> {
    let pieces = text.match_indices('{').filter(|(at, _)| !text[..*at].ends_with('$'));
    let names = pieces.filter_map(|(at, _)| text[at + 1..].split('}').next());
    names.map(|name| name.trim_end_matches('+').to_owned()).collect()
}

/// The methods of a path, as browsers read them.
fn methods(routes: &BTreeMap<String, Spec>, path: &str) -> String {
    let of_path = routes.keys().map(|route| split(route)).filter(|(_, other)| *other == path);
    let mut methods: BTreeSet<&str> = of_path.map(|(method, _)| method).collect();
    if methods.remove("ANY") {
        methods.extend(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]);
    }
    methods.insert("OPTIONS");
    methods.into_iter().collect::<Vec<_>>().join(",")
}

/// The answer to a preflight request of a browser. With several origins, a template picks the
/// origin of the request.
fn asked(cors: &Cors, methods: &str) -> Spec {
    let origins: Vec<&str> = cors.origins.iter().map(|origin| &**origin).collect();
    let first = origins.first().copied().unwrap_or("*");
    let mut headers = BTreeMap::from([
        ("Access-Control-Allow-Origin", first.to_owned()),
        ("Access-Control-Allow-Methods", methods.to_owned()),
        ("Access-Control-Allow-Headers", cors.headers.join(",")),
    ]);
    if let Some(seconds) = cors.max_age {
        headers.insert("Access-Control-Max-Age", seconds.to_string());
    }
    if cors.credentials {
        headers.insert("Access-Control-Allow-Credentials", "true".into());
    }
    if first != "*" {
        headers.insert("Vary", "Origin".into());
    }
    let header = |name: &str| format!("method.response.header.{name}");
    let declared = headers.keys().map(|name| (header(name), false)).collect();
    let values = headers.iter().map(|(name, value)| (header(name), format!("'{value}'")));
    let json = JSON.to_owned();
    let templates = match origins.as_slice() {
        [] | [_] => BTreeMap::new(),
        several => BTreeMap::from([(json.clone(), pick(several))]),
    };
    let mapping = Mapping { pattern: None, parameters: values.collect(), templates };
    // A preflight request has no credentials.
    Spec {
        authorization: "NONE".into(),
        authorizer: None,
        scopes: BTreeSet::new(),
        api_key_required: false,
        validator: None,
        models: BTreeMap::new(),
        parameters: BTreeMap::new(),
        responses: BTreeMap::from([(
            STATUS.into(),
            Answer { parameters: declared, models: BTreeMap::new() },
        )]),
        integration: Some(Integration {
            templates: BTreeMap::from([(json, json!({ "statusCode": 204 }).to_string())]),
            responses: BTreeMap::from([(STATUS.into(), mapping)]),
            ..Integration::new("MOCK")
        }),
    }
}

const STATUS: &str = "204";

/// Answers with the origin of the request, if it is one of these.
fn pick(origins: &[&str]) -> String {
    let each: Vec<String> =
        origins.iter().map(|origin| format!("$origin == \"{origin}\"")).collect();
    format!(
        "#set($origin = $input.params().header.get(\"Origin\"))\n\
         #if($origin == \"\")#set($origin = $input.params().header.get(\"origin\"))#end\n\
         #if({})\n\
         #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n\
         #end",
        each.join(" || ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_variables_are_found() {
        assert_eq!(variables("https://x/${a.b}/{id}/{rest+}"), ["id", "rest"]);
    }

    #[test]
    fn a_private_integration_sends_its_own_path_and_the_original_body() {
        let override_of =
            |path| format!("#set($context.requestOverride.path = \"{path}\")$input.body");
        assert_eq!(stripped("/health"), override_of("/health"));
        let two = "/service/$input.params('id')/$input.params('proxy')";
        assert_eq!(stripped("/service/{id}/{proxy}"), override_of(two));
    }

    #[test]
    fn a_template_selects_one_of_several_origins() {
        let cors = Cors {
            origins: crate::config::schema::OneOrMany::Many(
                ["https://a.b", "https://c.d"]
                    .map(|text| serde_json::from_value(json!(text)).unwrap())
                    .into(),
            ),
            headers: vec!["X-A".into()],
            max_age: Some(60),
            credentials: true,
        };
        let route = asked(&cors, "OPTIONS,POST");
        let integration = route.integration.unwrap();
        let answer = &integration.responses["204"];
        assert!(answer.templates["application/json"].contains("== \"https://c.d\""));
        let value =
            |name: &str| answer.parameters[&format!("method.response.header.{name}")].clone();
        assert_eq!(value("Access-Control-Allow-Origin"), "'https://a.b'");
        assert_eq!(value("Access-Control-Max-Age"), "'60'");
        assert_eq!(value("Access-Control-Allow-Credentials"), "'true'");
        assert_eq!(route.responses["204"].parameters.len(), answer.parameters.len());
    }
}
