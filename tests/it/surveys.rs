//! What holds for every kind: the depth of a survey, denied reads, transient errors.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use payctl::aws::kinds::KINDS;
use payctl_engine::model::address::Address;
use payctl_engine::model::error::ErrorClass;
use payctl_engine::plan::Purpose;
use payctl_engine::provider::Provider;
use payctl_sandbox::{Faults, Sandbox};
use tokio::time::Instant;

use crate::s3::BUCKET;
use crate::support::{
    block_on, by_hand, expect_settled, run, sample_provider, samples, sandboxed, some, through,
};

/// Refuses calls of one operation about objects with a certain name, as a policy would.
#[derive(Clone, Debug)]
struct Denying {
    inner: SharedHttpClient,
    /// Parts of the operation's and of the object's name.
    what: Arc<Mutex<(String, String)>>,
}

impl HttpClient for Denying {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(DenyingConnector { inner, what: self.what.clone() })
    }
}

#[derive(Debug)]
struct DenyingConnector {
    inner: SharedHttpConnector,
    what: Arc<Mutex<(String, String)>>,
}

impl HttpConnector for DenyingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let said = format!(
            "{} {} {}",
            request.uri(),
            request.headers().get("x-amz-target").unwrap_or_default(),
            String::from_utf8_lossy(body)
        );
        let (operation, object) = self.what.lock().expect("unpoisoned").clone();
        if operation.is_empty() || !said.contains(&operation) || !said.contains(&object) {
            return self.inner.call(request);
        }
        let is_json = request.headers().get("x-amz-target").is_some();
        let (status, body) = if is_json {
            (400_u16, r#"{"__type":"AccessDeniedException","message":"no policy allows it"}"#)
        } else {
            (403, "<Error><Code>AccessDenied</Code><Message>no policy allows it</Message></Error>")
        };
        let answer = HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

#[test]
fn a_survey_is_at_most_three_calls_deep() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let blueprint = {
            let provider = sample_provider(&sandboxed(&sandbox)).await;
            let blueprint = samples(&provider.aws().scope);
            run(&provider, &blueprint, Purpose::Apply).await;
            blueprint
        };
        let slow = Faults::new(sandbox.transport()).with_delay(Duration::from_secs(1));
        let provider = sample_provider(&through(slow.transport())).await;
        for kind in KINDS.iter().map(|kind| kind.meta().kind) {
            let wanted = blueprint.resources.values().filter(|want| want.address.kind == kind);
            let wanted = wanted.map(|want| (want.name.clone(), want.address.clone())).collect();
            let began = Instant::now();
            let found = provider.survey(kind, &wanted, None).await.expect("a survey");
            let depth = began.elapsed().as_secs();
            println!("{kind}: {depth}");
            assert!(!found.is_empty(), "{kind}");
            let allowed = DEEPER.iter().find(|(deeper, ..)| *deeper == kind);
            let allowed = allowed.map_or(3, |(_, depth, _)| *depth);
            assert!(depth <= allowed, "{kind}: {depth} calls after each other");
        }
    });
}

/// Surveys that need more calls one after the other, how many, and why.
const DEEPER: &[(&str, u64, &str)] = &[
    // A plan has the tags from the tagging API, at the same time as the list.
    ("acm.certificate", 4, "a certificate has no name, so its tags tell whether to describe it"),
    (
        "elb.listener_rule",
        4,
        "AWS lists rules by listener and listeners by load balancer, and tells no tags with them",
    ),
];

#[test]
fn unreadable_foreign_objects_matter_only_under_wanted_names() {
    block_on(async {
        let sandbox = Sandbox::in_memory();
        let kms = aws_sdk_kms::Client::new(&by_hand(&sandbox));
        let made = kms.create_key().send().await.expect("a key").key_metadata.expect("a key");
        let alias = kms.create_alias().target_key_id(&made.key_id);
        alias.alias_name("alias/sample-of-others").send().await.expect("an alias");
        let s3 = aws_sdk_s3::Client::new(&by_hand(&sandbox));
        s3.create_bucket().bucket("sample-of-others").send().await.expect("a bucket");

        let what = Arc::new(Mutex::new((String::new(), String::new())));
        let denying = Denying { inner: sandbox.transport(), what: what.clone() };
        let provider = sample_provider(&through(SharedHttpClient::new(denying))).await;
        let deny = |operation: &str, object: &str| {
            *what.lock().expect("unpoisoned") = (operation.to_owned(), object.to_owned());
        };
        let blueprint = some(&provider, &["kms.key", "s3.bucket"]);
        deny("ListResourceTags", &made.key_id);
        run(&provider, &blueprint, Purpose::Apply).await;
        deny("tagging", "sample-of-others");
        expect_settled(&provider, &blueprint, "a bucket of others").await;

        // A bucket of the environment must not disappear because its policy hides its tags.
        deny("tagging", BUCKET);
        let wanted = [(BUCKET.to_owned(), Address::new("s3.bucket", "sample"))].into();
        let error = provider.survey("s3.bucket", &wanted, None).await.expect_err("it is said");
        assert_eq!((error.class, error.op.as_str()), (ErrorClass::Denied, "GetBucketTagging"));
    });
}

/// Codes that say all there is to say: AWS has each for one case only, and it passes.
const PLAIN: &[(&str, &str)] = &[
    ("CertificateNotFound", "a new certificate is not seen everywhere"),
    ("ClusterContainsCapacityProviderException", "a capacity provider is still being taken off"),
    ("ClusterContainsContainerInstancesException", "the instances are still leaving"),
    ("ClusterContainsServicesException", "the services are still draining"),
    ("ClusterContainsTasksException", "the tasks are still being stopped"),
    ("ConcurrentUpdateException", "another change of the same target is under way"),
    ("DecryptionFailure", "the key of the secret is being enabled again"),
    ("FailedResourceAccessException", "what is scaled is too new for its own service"),
    ("InvalidVPCNetworkStateFault", "the network is still being made"),
    ("KMSInvalidStateException", "the key of the secret is being enabled again"),
    ("KMSKeyNotAccessibleFault", "a new key or its policy is not seen everywhere"),
    ("PreconditionFailedException", "the function or the alias has changed since it was read"),
    ("ServiceNotActiveException", "a service of the same name is still draining"),
    ("UpdateInProgressException", "the capacity providers are still being changed"),
    ("WAFServiceLinkedRoleErrorException", "the role that delivers the log is still being made"),
];

#[test]
fn transient_error_codes_need_a_message() {
    let transient = KINDS.iter().flat_map(|kind| kind.meta().transient);
    let alone = transient.filter(|(_, fragment)| fragment.is_empty());
    let alone: BTreeSet<&str> = alone.map(|(code, _)| *code).collect();
    let known: BTreeSet<&str> = PLAIN.iter().map(|(code, _)| *code).collect();
    assert_eq!(alone, known, "a message makes sure that it is what passes");
}
