//! The sample of an API and its variants.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::RestApi;
use crate::aws::kinds::apigateway::definition::{
    Answer, Authorizer, COGNITO, Integration, Mapping, Model, Route, Validator, paths,
};
use payctl_engine::model::address::Address;
use payctl_engine::model::document::Document;
use payctl_engine::model::text::{Output, Text};

/// The response header that allows other origins.
const ALLOW_ORIGIN: &str = "method.response.header.Access-Control-Allow-Origin";

pub(super) fn sample() -> RestApi {
    let function = Text::reference(Address::new("lambda.function", "sample"), Output::Arn);
    let path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/";
    let post = Route {
        authorization: "NONE".into(),
        authorizer: None,
        scopes: BTreeSet::new(),
        api_key_required: false,
        validator: Some("sample-validator".into()),
        models: BTreeMap::from([("application/json".into(), "Payment".into())]),
        parameters: BTreeMap::from([("method.request.header.Idempotency-Key".into(), true)]),
        responses: BTreeMap::new(),
        integration: Some(Integration {
            method: Some("POST".into()),
            uri: Some(Text::from(path).then(function).then("/invocations")),
            ..Integration::new("AWS_PROXY")
        }),
    };
    let payment = Model {
        description: String::new(),
        schema: json!({ "type": "object", "required": ["amount"] }),
    };
    let routes = BTreeMap::from([("POST /payments/{id}".to_owned(), post)]);
    RestApi {
        name: "sample-api".into(),
        description: "Sample payments".into(),
        endpoint: "REGIONAL".into(),
        policy: None,
        binary_types: BTreeSet::new(),
        minimum_compression: None,
        key_source: "HEADER".into(),
        models: BTreeMap::from([("Payment".into(), payment)]),
        validators: BTreeMap::from([(
            "sample-validator".into(),
            Validator { body: true, parameters: true },
        )]),
        authorizers: BTreeMap::new(),
        paths: paths(routes.keys()),
        routes,
        security_policy: None,
        failed_update: None,
    }
}

pub(super) fn variants() -> Vec<RestApi> {
    let mut routes = sample().routes;
    let options = Route {
        authorization: "NONE".into(),
        authorizer: None,
        scopes: BTreeSet::new(),
        api_key_required: false,
        validator: None,
        models: BTreeMap::new(),
        parameters: BTreeMap::new(),
        responses: BTreeMap::from([(
            "204".into(),
            Answer {
                parameters: BTreeMap::from([(ALLOW_ORIGIN.into(), true)]),
                models: BTreeMap::new(),
            },
        )]),
        integration: Some(Integration {
            templates: BTreeMap::from([(
                "application/json".into(),
                r#"{"statusCode":204}"#.into(),
            )]),
            responses: BTreeMap::from([(
                "204".into(),
                Mapping {
                    parameters: BTreeMap::from([(ALLOW_ORIGIN.into(), "'*'".into())]),
                    ..Mapping::default()
                },
            )]),
            ..Integration::new("MOCK")
        }),
    };
    routes.insert("OPTIONS /payments/{id}".into(), options);
    routes.insert("GET /health".into(), health(20_000));
    let mut other = RestApi { routes, ..sample() };
    other.paths = paths(other.routes.keys());
    let mut changed = other.clone();
    changed.routes.remove("OPTIONS /payments/{id}");
    changed.routes.insert("GET /health".into(), health(10_000));
    if let Some(route) = changed.routes.get_mut("POST /payments/{id}") {
        route.authorization = "AWS_IAM".into();
        route.api_key_required = true;
        route.validator = Some("parameters".into());
    }
    changed.validators =
        BTreeMap::from([("parameters".into(), Validator { body: false, parameters: true })]);
    changed.models.insert(
        "Payment".into(),
        Model { description: "A payment".into(), schema: json!({ "type": "object" }) },
    );
    let policy = Document::of([json!({
        "Effect": "Allow",
        "Principal": { "AWS": "*" },
        "Action": "execute-api:Invoke",
        "Resource": ["execute-api:/*/GET/health", "execute-api:/dev/POST/*"],
    })]);
    vec![
        other,
        changed,
        guarded(user_pools(&["a"]), COGNITO, &["payments/write"]),
        guarded(user_pools(&["a", "b"]), COGNITO, &[]),
        guarded(user_pools(&["b"]), COGNITO, &[]),
        // Of another kind, with the same name.
        guarded(asks("TOKEN", &["method.request.header.X-Token"], 60), "CUSTOM", &[]),
        guarded(asks("TOKEN", &["method.request.header.X-Key"], 0), "CUSTOM", &[]),
        guarded(
            asks("REQUEST", &["context.identity.sourceIp", "method.request.header.X-Key"], 300),
            "CUSTOM",
            &[],
        ),
        RestApi {
            name: "sample-api-2".into(),
            description: String::new(),
            endpoint: "EDGE".into(),
            binary_types: BTreeSet::from(["image/png".into()]),
            minimum_compression: Some(1024),
            policy: Some(policy),
            ..sample()
        },
        RestApi {
            key_source: "AUTHORIZER".into(),
            security_policy: Some("SecurityPolicy_TLS13_1_2_2021_06".into()),
            ..sample()
        },
        // Back to what AWS gave it.
        RestApi {
            key_source: "AUTHORIZER".into(),
            security_policy: Some("TLS_1_0".into()),
            ..sample()
        },
    ]
}

/// The sample behind an authorizer.
fn guarded(authorizer: Authorizer, authorization: &str, scopes: &[&str]) -> RestApi {
    let mut api = sample();
    api.authorizers.insert("callers".into(), authorizer);
    for route in api.routes.values_mut() {
        route.authorization = authorization.into();
        route.authorizer = Some("callers".into());
        route.scopes = scopes.iter().map(|scope| (*scope).into()).collect();
    }
    api
}

/// An authorizer by user pools.
fn user_pools(names: &[&str]) -> Authorizer {
    let arn =
        |name| format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_{name}");
    Authorizer {
        kind: COGNITO.into(),
        pools: names.iter().map(arn).collect(),
        uri: None,
        identity: BTreeSet::from(["method.request.header.Authorization".into()]),
        cache_seconds: None,
    }
}

/// An authorizer by a function.
fn asks(kind: &str, identity: &[&str], cache_seconds: u32) -> Authorizer {
    let function = Text::reference(Address::new("lambda.function", "sample"), Output::Arn);
    let path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/";
    Authorizer {
        kind: kind.into(),
        pools: BTreeSet::new(),
        uri: Some(Text::from(path).then(function).then("/invocations")),
        identity: identity.iter().map(|source| (*source).into()).collect(),
        cache_seconds: Some(cache_seconds),
    }
}

/// A route to another server.
fn health(timeout_ms: u32) -> Route {
    Route {
        authorization: "NONE".into(),
        authorizer: None,
        scopes: BTreeSet::new(),
        api_key_required: false,
        validator: None,
        models: BTreeMap::new(),
        parameters: BTreeMap::new(),
        responses: BTreeMap::new(),
        integration: Some(Integration {
            method: Some("GET".into()),
            uri: Some("https://example.com/health".into()),
            timeout_ms,
            ..Integration::new("HTTP_PROXY")
        }),
    }
}
