//! The only reader of AWS error codes.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use super::clients::Aws;
use super::network;
use super::pace::CLOSED;
use codes::{SIGNING, THROTTLED, classify};
use payctl_engine::model::error::{ErrorClass, OpError};

mod codes;

/// Turns an SDK error into ours: `.send().await.map_err(op("CreateVpc"))`.
pub(crate) fn op<E>(name: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> OpError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| {
        let request_id = error.request_id().map(str::to_owned);
        let chain = chain_of(&error);
        match &error {
            SdkError::ServiceError(service) => {
                let (code, message) = (service.err().code(), service.err().message());
                let ours = answered(name, service.raw(), code, message, &chain);
                OpError { request_id, ..ours }
            }
            // Not in the protocol of the service.
            SdkError::ResponseError(response) if response.raw().status().as_u16() >= 400 => {
                answered(name, response.raw(), None, None, &chain)
            }
            SdkError::ConstructionFailure(_) => {
                OpError::new(name, ErrorClass::Bug, "InvalidRequest", chain)
            }
            SdkError::DispatchFailure(failure) => {
                let lost = if failure.is_timeout() { "Timeout" } else { LOST };
                unsent(name, &error, chain, lost)
            }
            _ => OpError::new(name, ErrorClass::Service, LOST, chain),
        }
    }
}

/// The code of an error that came without one, with a status that says little.
const NO_CODE: &str = "Unknown";
/// The message of an error that came without one.
const NO_MESSAGE: &str = "AWS gave no message";
/// The code of an answer that the SDK could not read.
const UNREADABLE: &str = "UnreadableAnswer";
/// The service with the CBOR protocol.
const CBOR: &str = "monitoring";
/// The code of credentials for an account that the config does not allow.
const OTHER_ACCOUNT: &str = "OtherAccount";
/// The code of a service whose host name does not exist.
const NO_HOST: &str = "NoSuchHost";

/// Classifies the error of a survey. If only this service does not have a host, the region does not
/// offer it. If an endpoint that stands in for AWS answers without a code, which AWS never does, it
/// does not know the operation.
pub(super) fn of_survey(error: OpError, aws: &Aws, service: &str) -> OpError {
    let class = ErrorClass::Unsupported;
    let is_speechless = error.message == NO_MESSAGE
        && [NO_CODE, "NotFound"].contains(&error.code.as_str())
        && !error.op.starts_with("Head");
    // An answer in another protocol.
    let is_foreign = service == CBOR && error.code == UNREADABLE;
    if aws.is_elsewhere && (is_speechless || is_foreign) {
        let message = match service {
            CBOR => {
                "it does not speak RPC v2 CBOR, the only protocol that the AWS SDK uses for \
                 CloudWatch"
            }
            _ => "it does not have this operation",
        };
        return OpError { class, message: message.to_owned(), ..error };
    }
    // The service may have an ordinary endpoint.
    if error.code == NO_HOST && !aws.is_special { OpError { class, ..error } } else { error }
}

/// The error in an answer that is not a success.
fn answered(
    name: &str,
    raw: &HttpResponse,
    code: Option<&str>,
    message: Option<&str>,
    chain: &str,
) -> OpError {
    let status = raw.status().as_u16();
    let code = code.unwrap_or(match status {
        404 => "NotFound",
        403 => "AccessDenied",
        301 => "PermanentRedirect",
        407 => "ProxyAuthenticationRequired",
        200..=299 => UNREADABLE,
        502..=504 => "Unavailable",
        _ => NO_CODE,
    });
    let message = message.unwrap_or(match status {
        200..=299 => chain,
        _ => NO_MESSAGE,
    });
    let ours = OpError::new(name, classify(code, message, status), code, message);
    match skew(raw, SystemTime::now()) {
        Some(skew) if SIGNING.contains(&code) => skewed(ours, &skew),
        _ => ours,
    }
}

/// Classifies a call without an answer: the network, the endpoint or the credentials failed, else
/// the reply was lost.
fn unsent(
    name: &str,
    error: &(dyn std::error::Error + 'static),
    chain: String,
    lost: &str,
) -> OpError {
    if let Some(ours) = network::explain(name, &chain) {
        return ours;
    }
    let (class, code) = if is_about_endpoints(&chain) {
        (ErrorClass::Unsupported, "NoEndpoint")
    } else if is_about_credentials(&chain) {
        if will_be_there(error) {
            (ErrorClass::Busy, "CredentialsUnavailable")
        } else {
            (ErrorClass::Credentials, "NoCredentials")
        }
    } else if chain.contains(CLOSED) {
        (ErrorClass::Busy, "NoLease")
    } else if is_about_names(&chain) {
        (ErrorClass::Service, NO_HOST)
    } else {
        (ErrorClass::Service, lost)
    };
    OpError::new(name, class, code, chain)
}

/// An error after which the caller may look and call again: a condition that AWS refused, because the
/// object has changed since it was read, counts as busy.
pub(super) fn of_condition(error: OpError) -> OpError {
    match error.code.as_str() {
        "PreconditionFailedException" => OpError { class: ErrorClass::Busy, ..error },
        _ => error,
    }
}

/// The code of a call whose reply was lost.
const LOST: &str = "ConnectionLost";

/// Turns a failure that AWS lists inside a successful answer into our error.
pub(crate) fn listed(name: &'static str, code: &str, message: impl Into<String>) -> OpError {
    let message = message.into();
    let status = match code {
        "InternalError" | "ServiceUnavailable" => 500,
        _ => 400,
    };
    OpError::new(name, classify(code, &message, status), code, message)
}

/// The error of credentials for an account that the config does not allow.
pub(crate) fn other_account(account: &str, allowed: &str) -> OpError {
    let message = format!("the credentials are for account {account}, the config allows {allowed}");
    OpError::new("GetCallerIdentity", ErrorClass::Invalid, OTHER_ACCOUNT, message)
}

/// The error of a creation that AWS would turn into a change of an existing object with this name.
pub(crate) fn taken(name: &'static str, what: &str) -> OpError {
    let message = format!("{what} with this name already exists");
    OpError::new(name, ErrorClass::Exists, "AlreadyExists", message)
}

/// Whether an item is not as the condition of a write demands.
pub(super) fn is_other_version(error: &OpError) -> bool {
    error.code == "ConditionalCheckFailedException"
}

/// Whether the credentials are for another account than the config allows.
pub fn is_other_account(error: &OpError) -> bool {
    error.code == OTHER_ACCOUNT
}

/// Whether the bucket itself does not exist, and not only the requested part of it.
pub(crate) fn is_no_bucket(error: &OpError) -> bool {
    error.code == "NoSuchBucket"
}

/// Whether a value cannot be read because its key is disabled, has a pending deletion, or denies
/// its use.
pub(crate) fn is_undecryptable(error: &OpError) -> bool {
    error.code == "DecryptionFailure"
        || error.code.starts_with("KMS")
        || error.message.contains("KMS")
}

/// Whether a bucket is in another region: S3 redirects, or refuses the signature's region.
pub(crate) fn is_elsewhere(error: &OpError) -> bool {
    let redirects = ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"];
    redirects.contains(&error.code.as_str())
}

/// The body of a successful answer that the SDK could not parse. Some endpoints format answers
/// differently from AWS.
pub(crate) fn unread<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let SdkError::ServiceError(service) = error else { return None };
    let raw = service.raw();
    let body = raw.body().bytes().filter(|_| raw.status().is_success())?;
    Some(String::from_utf8_lossy(body).into_owned())
}

/// Reads of objects that may not exist.
pub(crate) trait Gone<T> {
    /// Not found is `None`.
    fn or_gone(self) -> Result<Option<T>, OpError>;
}

impl<T> Gone<T> for Result<T, OpError> {
    fn or_gone(self) -> Result<Option<T>, OpError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

fn is_about_credentials(chain: &str) -> bool {
    let chain = chain.to_lowercase();
    chain.contains("credential") || chain.contains("sso token") || chain.contains("identity")
}

/// Whether the SDK did not find an endpoint for the service: in this region, or of this type.
fn is_about_endpoints(chain: &str) -> bool {
    chain.contains("Invalid Configuration:") || chain.contains("failed to resolve an endpoint")
}

/// Whether a host name does not exist, as opposed to a resolver that does not answer.
fn is_about_names(chain: &str) -> bool {
    let words = [
        "Name or service not known",
        "No address associated with hostname",
        "nodename nor servname provided",
        "no such host is known",
    ];
    words.iter().any(|words| chain.contains(words))
}

/// Whether missing credentials may be available soon, since their provider did not answer. The call
/// itself was never sent.
fn will_be_there(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    let mut text = String::new();
    while let Some(error) = next {
        // The outer error is about the call, the inner one about the provider.
        text = chain_of(error);
        match error.downcast_ref::<CredentialsError>() {
            Some(
                CredentialsError::CredentialsNotLoaded(_)
                | CredentialsError::InvalidConfiguration(_),
            ) => return false,
            Some(CredentialsError::ProviderTimedOut(_)) => return true,
            Some(_) => break,
            None => next = error.source(),
        }
    }
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let refused = [
        "expired",
        "denied",
        "unauthorized",
        "invalid",
        "not authorized",
        "not found",
        "forbidden",
        "disabled",
    ];
    let absent = [
        "timed out",
        "timeout",
        "dispatch failure",
        "connection",
        "dns error",
        "throttl",
        "unavailable",
        "internal",
    ];
    says(&absent) && !says(&refused)
}

/// The error of this machine's clock.
struct Skew {
    by: Duration,
    is_behind: bool,
}

/// The largest accepted error: AWS accepts signatures for five minutes, most services for fifteen.
const CLOSE: Duration = Duration::from_secs(240);

/// How far this machine's clock is off by an answer's own date, if that is too far.
fn skew(response: &HttpResponse, now: SystemTime) -> Option<Skew> {
    let date = DateTime::from_str(response.headers().get("date")?, Format::HttpDate).ok()?;
    let there = SystemTime::try_from(date).ok()?;
    let (by, is_behind) = match there.duration_since(now) {
        Ok(by) => (by, true),
        Err(error) => (error.duration(), false),
    };
    (by > CLOSE).then_some(Skew { by, is_behind })
}

fn skewed(error: OpError, skew: &Skew) -> OpError {
    let minutes = (skew.by.as_secs() + 30) / 60;
    let direction = if skew.is_behind { "behind" } else { "ahead of" };
    let message = format!(
        "{} (the clock of this machine is {minutes} minutes {direction} AWS's)",
        error.message
    );
    OpError { class: ErrorClass::Clock, message, ..error }
}

/// Whether an answer says that AWS did nothing because of too many calls.
pub(super) fn is_throttling(response: &HttpResponse) -> bool {
    let status = response.status().as_u16();
    if status < 400 {
        return false;
    }
    let text = String::from_utf8_lossy(start(response));
    let code = told(response, THROTTLED.iter().chain(&["LimitExceededException"]));
    classify(code.unwrap_or_default(), &text, status) == ErrorClass::Throttled
}

/// Whether an answer refuses a signature for the time that this machine's clock gave it: the SDK
/// reads the right one from the answer, and signs the next call with it.
pub(super) fn is_skewed(response: &HttpResponse, now: SystemTime) -> bool {
    response.status().as_u16() >= 400
        && told(response, SIGNING.iter()).is_some()
        && skew(response, now).is_some()
}

/// The part of an answer in which an error stands.
fn start(response: &HttpResponse) -> &[u8] {
    let body = response.body().bytes().unwrap_or_default();
    &body[..body.len().min(4096)]
}

/// Finds one of these codes in an unparsed answer of any protocol.
fn told<'a>(
    response: &HttpResponse,
    mut codes: impl Iterator<Item = &'a &'a str>,
) -> Option<&'a str> {
    let headers = response.headers();
    let header = headers.get("x-amzn-errortype").unwrap_or_default();
    // Services that once had the query protocol put their codes there, as `CODE;Sender`.
    let query = headers.get("x-amzn-query-error").unwrap_or_default();
    let query = query.split(';').next().unwrap_or_default();
    let body = start(response);
    let text = String::from_utf8_lossy(body);
    let typed = cbor_type(body).unwrap_or_default();
    let is_told = |code: &&&str| {
        header.split([':', '#']).any(|part| part == **code)
            || query == **code
            || typed == **code
            || text.contains(&format!("<Code>{code}</Code>"))
            || text.contains(&format!("#{code}\""))
            || text.contains(&format!("\"{code}\""))
    };
    codes.find(is_told).copied()
}

/// The code in an error of RPC v2 CBOR, which CloudWatch speaks: the text under `__type`, without
/// its namespace.
fn cbor_type(body: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\x66__type";
    let at = body.windows(KEY.len()).position(|window| window == KEY)?;
    let (length, text) = match &body[at + KEY.len()..] {
        [head @ 0x60..=0x77, text @ ..] => (usize::from(head - 0x60), text),
        [0x78, length, text @ ..] => (usize::from(*length), text),
        _ => return None,
    };
    std::str::from_utf8(text.get(..length)?).ok()?.rsplit('#').next()
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
