//! The steps from one definition of an API to another. They run one after the other, since AWS
//! refuses parallel changes, in an order in which each is possible.
//!
//! No step takes effect before a deployment, so a method that differs is deleted and recreated.
//! Every step checks the live state; after a failure all of them can run again.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types::{
    AuthorizerType, ConnectionType, IntegrationType, Op, PatchOperation,
};

use super::RestApi;
use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::kinds::apigateway::common::{append, replace};
use crate::aws::kinds::apigateway::definition::{
    Authorizer, Integration, Parts, Route, parent, split,
};
use payctl_engine::model::error::OpError;

/// The changes of one API.
pub(super) struct Moves<'a> {
    aws: &'a Aws,
    api: &'a str,
    want: &'a RestApi,
    parts: Parts,
}

impl<'a> Moves<'a> {
    pub(super) fn new(aws: &'a Aws, api: &'a str, want: &'a RestApi, parts: Parts) -> Self {
        Self { aws, api, want, parts }
    }

    /// Everything, in order.
    pub(super) async fn all(mut self) -> Result<(), OpError> {
        self.put_validators().await?;
        self.put_models().await?;
        self.remove_paths().await?;
        self.remove_methods().await?;
        self.put_authorizers().await?;
        self.add_paths().await?;
        self.put_methods().await?;
        // Nothing refers to them any more.
        self.remove_authorizers().await?;
        self.remove_validators().await?;
        self.remove_models().await
    }

    async fn put_validators(&mut self) -> Result<(), OpError> {
        for (name, want) in &self.want.validators {
            let body = want.body.to_string();
            let parameters = want.parameters.to_string();
            match self.parts.validators.get(name) {
                Some((_, live)) if live == want => {}
                Some((id, _)) => {
                    self.aws
                        .apigateway
                        .update_request_validator()
                        .rest_api_id(self.api)
                        .request_validator_id(id)
                        .patch_operations(replace("/validateRequestBody", body))
                        .patch_operations(replace("/validateRequestParameters", parameters))
                        .send()
                        .await
                        .map_err(op("UpdateRequestValidator"))?;
                }
                None => {
                    let made = self
                        .aws
                        .apigateway
                        .create_request_validator()
                        .rest_api_id(self.api)
                        .name(name)
                        .validate_request_body(want.body)
                        .validate_request_parameters(want.parameters)
                        .send()
                        .await
                        .map_err(op("CreateRequestValidator"))?;
                    let id = made.id.unwrap_or_default();
                    self.parts.validators.insert(name.clone(), (id, *want));
                }
            }
        }
        Ok(())
    }

    async fn put_models(&self) -> Result<(), OpError> {
        for (name, want) in &self.want.models {
            let schema = want.schema.to_string();
            match self.parts.models.get(name) {
                Some(live) if live == want => {}
                Some(_) => {
                    self.aws
                        .apigateway
                        .update_model()
                        .rest_api_id(self.api)
                        .model_name(name)
                        .patch_operations(replace("/schema", schema))
                        .patch_operations(replace("/description", &want.description))
                        .send()
                        .await
                        .map_err(op("UpdateModel"))?;
                }
                None => {
                    let description = Some(&want.description).filter(|text| !text.is_empty());
                    self.aws
                        .apigateway
                        .create_model()
                        .rest_api_id(self.api)
                        .name(name)
                        .content_type("application/json")
                        .schema(schema)
                        .set_description(description.cloned())
                        .send()
                        .await
                        .map_err(op("CreateModel"))?;
                }
            }
        }
        Ok(())
    }

    /// Paths that no route needs, each with all paths below it.
    async fn remove_paths(&mut self) -> Result<(), OpError> {
        let want = &self.want.paths;
        let is_surplus = |path: &str| path != "/" && !want.contains(path);
        let surplus = self.parts.paths.iter().filter(|(path, _)| is_surplus(path));
        for (_, id) in surplus.filter(|(path, _)| !is_surplus(parent(path))) {
            let call = self.aws.apigateway.delete_resource().rest_api_id(self.api);
            let send = call.resource_id(id).send();
            send.await.map_err(op("DeleteResource")).or_gone()?;
        }
        self.parts.paths.retain(|path, _| !is_surplus(path));
        self.parts.routes.retain(|route, _| !is_surplus(split(route).1));
        Ok(())
    }

    /// Methods that are not wanted, and those that will be recreated.
    async fn remove_methods(&mut self) -> Result<(), OpError> {
        let Self { aws, api, want, parts } = self;
        let mut kept = BTreeMap::new();
        for (route, live) in std::mem::take(&mut parts.routes) {
            let authorizer = live.authorizer.as_ref();
            let replaced = authorizer.is_some_and(|name| is_replaced(want, parts, name));
            if want.routes.get(&route) == Some(&live) && !replaced {
                kept.insert(route, live);
                continue;
            }
            let (method, path) = split(&route);
            let Some(resource) = parts.paths.get(path) else { continue };
            let call = aws.apigateway.delete_method().rest_api_id(*api);
            let send = call.resource_id(resource).http_method(method).send();
            send.await.map_err(op("DeleteMethod")).or_gone()?;
        }
        parts.routes = kept;
        Ok(())
    }

    /// These come before the methods that refer to them, and after those that referred to one of
    /// another type, since AWS cannot change the type.
    async fn put_authorizers(&mut self) -> Result<(), OpError> {
        let calls = &self.aws.apigateway;
        for (name, want) in &self.want.authorizers {
            let mut live = self.parts.authorizers.get(name);
            if is_replaced(self.want, &self.parts, name)
                && let Some((id, _)) = live.take()
            {
                let call = calls.delete_authorizer().rest_api_id(self.api).authorizer_id(id);
                call.send().await.map_err(op("DeleteAuthorizer")).or_gone()?;
            }
            match live {
                Some((_, live)) if live == want => {}
                Some((id, live)) => {
                    calls
                        .update_authorizer()
                        .rest_api_id(self.api)
                        .authorizer_id(id)
                        .set_patch_operations(Some(patches(want, live)))
                        .send()
                        .await
                        .map_err(op("UpdateAuthorizer"))?;
                }
                None => {
                    let pools: Vec<String> = want.pools.iter().cloned().collect();
                    let sources = Some(want.sources()).filter(|sources| !sources.is_empty());
                    let seconds = want.cache_seconds.map(|seconds| seconds.try_into());
                    let seconds = seconds.map(|seconds| seconds.unwrap_or(i32::MAX));
                    let made = calls
                        .create_authorizer()
                        .rest_api_id(self.api)
                        .name(name)
                        .r#type(AuthorizerType::from(want.kind.as_str()))
                        .set_provider_arns((!pools.is_empty()).then_some(pools))
                        .set_authorizer_uri(want.uri.as_ref().map(|uri| uri.known().to_owned()))
                        .set_identity_source(sources)
                        .set_authorizer_result_ttl_in_seconds(seconds)
                        .send()
                        .await
                        .map_err(op("CreateAuthorizer"))?;
                    let id = made.id.unwrap_or_default();
                    self.parts.authorizers.insert(name.clone(), (id, want.clone()));
                }
            }
        }
        Ok(())
    }

    /// In the order of their texts, parents come first.
    async fn add_paths(&mut self) -> Result<(), OpError> {
        for path in &self.want.paths {
            if self.parts.paths.contains_key(path) {
                continue;
            }
            let Some(above) = self.parts.paths.get(parent(path)) else { continue };
            let part = path.rsplit('/').next().unwrap_or_default();
            let call = self.aws.apigateway.create_resource().rest_api_id(self.api);
            let send = call.parent_id(above).path_part(part).send();
            let made = send.await.map_err(op("CreateResource"))?;
            self.parts.paths.insert(path.clone(), made.id.unwrap_or_default());
        }
        Ok(())
    }

    async fn put_methods(&self) -> Result<(), OpError> {
        for (route, want) in &self.want.routes {
            let (method, path) = split(route);
            if !self.parts.routes.contains_key(route)
                && let Some(resource) = self.parts.paths.get(path)
            {
                self.put_method(resource, method, want).await?;
            }
        }
        Ok(())
    }

    async fn put_method(&self, resource: &str, method: &str, want: &Route) -> Result<(), OpError> {
        let validator = want.validator.as_ref().and_then(|name| self.parts.validators.get(name));
        let authorizer = want.authorizer.as_ref().and_then(|name| self.parts.authorizers.get(name));
        let scopes: Vec<String> = want.scopes.iter().cloned().collect();
        self.aws
            .apigateway
            .put_method()
            .rest_api_id(self.api)
            .resource_id(resource)
            .http_method(method)
            .authorization_type(&want.authorization)
            .set_authorizer_id(authorizer.map(|(id, _)| id.clone()))
            .set_authorization_scopes((!scopes.is_empty()).then_some(scopes))
            .api_key_required(want.api_key_required)
            .set_request_validator_id(validator.map(|(id, _)| id.clone()))
            .set_request_models(some(&want.models))
            .set_request_parameters(some(&want.parameters))
            .send()
            .await
            .map_err(op("PutMethod"))?;
        for (status, answer) in &want.responses {
            self.aws
                .apigateway
                .put_method_response()
                .rest_api_id(self.api)
                .resource_id(resource)
                .http_method(method)
                .status_code(status)
                .set_response_parameters(some(&answer.parameters))
                .set_response_models(some(&answer.models))
                .send()
                .await
                .map_err(op("PutMethodResponse"))?;
        }
        match &want.integration {
            Some(integration) => self.put_integration(resource, method, integration).await,
            None => Ok(()),
        }
    }

    async fn put_integration(
        &self,
        resource: &str,
        method: &str,
        want: &Integration,
    ) -> Result<(), OpError> {
        let link = want.link.as_ref();
        let target = link.and_then(|link| link.target.as_ref());
        self.aws
            .apigateway
            .put_integration()
            .rest_api_id(self.api)
            .resource_id(resource)
            .http_method(method)
            .r#type(IntegrationType::from(want.kind.as_str()))
            .set_integration_http_method(want.method.clone())
            .set_uri(want.uri.as_ref().map(|uri| uri.known().to_owned()))
            .timeout_in_millis(want.timeout_ms.try_into().unwrap_or(i32::MAX))
            .set_request_parameters(some(&want.parameters))
            .set_request_templates(some(&want.templates))
            .passthrough_behavior(&want.passthrough)
            .set_connection_type(link.map(|_| ConnectionType::VpcLink))
            .set_connection_id(link.map(|link| link.id.known().to_owned()))
            .set_integration_target(target.map(|arn| arn.known().to_owned()))
            .send()
            .await
            .map_err(op("PutIntegration"))?;
        for (status, mapping) in &want.responses {
            self.aws
                .apigateway
                .put_integration_response()
                .rest_api_id(self.api)
                .resource_id(resource)
                .http_method(method)
                .status_code(status)
                .set_selection_pattern(mapping.pattern.clone())
                .set_response_parameters(some(&mapping.parameters))
                .set_response_templates(some(&mapping.templates))
                .send()
                .await
                .map_err(op("PutIntegrationResponse"))?;
        }
        Ok(())
    }

    async fn remove_authorizers(&self) -> Result<(), OpError> {
        for (name, (id, _)) in &self.parts.authorizers {
            if !self.want.authorizers.contains_key(name) {
                let call = self.aws.apigateway.delete_authorizer();
                let send = call.rest_api_id(self.api).authorizer_id(id).send();
                send.await.map_err(op("DeleteAuthorizer")).or_gone()?;
            }
        }
        Ok(())
    }

    async fn remove_validators(&self) -> Result<(), OpError> {
        for (name, (id, _)) in &self.parts.validators {
            if !self.want.validators.contains_key(name) {
                let call = self.aws.apigateway.delete_request_validator();
                let send = call.rest_api_id(self.api).request_validator_id(id).send();
                send.await.map_err(op("DeleteRequestValidator")).or_gone()?;
            }
        }
        Ok(())
    }

    async fn remove_models(&self) -> Result<(), OpError> {
        for name in self.parts.models.keys() {
            if !self.want.models.contains_key(name) {
                let call = self.aws.apigateway.delete_model().rest_api_id(self.api);
                let send = call.model_name(name).send();
                send.await.map_err(op("DeleteModel")).or_gone()?;
            }
        }
        Ok(())
    }
}

/// Whether an authorizer with this name changes its type.
fn is_replaced(want: &RestApi, parts: &Parts, name: &str) -> bool {
    let live = parts.authorizers.get(name).map(|(_, live)| &live.kind);
    let want = want.authorizers.get(name).map(|want| &want.kind);
    live.is_some() && want.is_some() && live != want
}

/// Changes an authorizer without changing its type. It always needs a user pool, so it adds new
/// ones first.
fn patches(want: &Authorizer, live: &Authorizer) -> Vec<PatchOperation> {
    const POOLS: &str = "/providerARNs";
    let mut patches: Vec<PatchOperation> =
        want.pools.difference(&live.pools).map(|pool| append(POOLS, pool)).collect();
    patches.extend(
        live.pools
            .difference(&want.pools)
            .map(|pool| PatchOperation::builder().op(Op::Remove).path(POOLS).value(pool).build()),
    );
    if want.uri != live.uri {
        let uri = want.uri.as_ref().map(|uri| uri.known().to_owned());
        patches.push(replace("/authorizerUri", uri.unwrap_or_default()));
    }
    if want.identity != live.identity {
        patches.push(replace("/identitySource", want.sources()));
    }
    if let Some(seconds) = want.cache_seconds
        && want.cache_seconds != live.cache_seconds
    {
        patches.push(replace("/authorizerResultTtlInSeconds", seconds.to_string()));
    }
    patches
}

/// A map as the SDK takes it; an empty one is not sent.
fn some<T: Clone>(map: &BTreeMap<String, T>) -> Option<std::collections::HashMap<String, T>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}
