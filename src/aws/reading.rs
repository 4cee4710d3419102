//! One reading of an account for several environments: payctl keeps each answer to a read, and gives it
//! to everyone who asks the same. So ten environments that list the same functions cost one list.
//!
//! It is for plans of many environments alone. Whoever changes things must see what has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tokio::sync::OnceCell;

use super::pace::{Operation, is_read};

/// The answers so far.
#[derive(Clone, Debug, Default)]
pub struct Reading(Arc<Mutex<HashMap<Question, Arc<OnceCell<Kept>>>>>);

/// A request without what differs each time, such as its signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    method: String,
    uri: String,
    target: Option<String>,
    body: Vec<u8>,
}

/// A successful answer.
#[derive(Debug)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Kept {
    fn of(answer: &HttpResponse) -> Option<Self> {
        let body = answer.body().bytes().filter(|_| answer.status().is_success())?.to_vec();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { status: answer.status().as_u16(), headers, body })
    }

    fn again(&self) -> Result<HttpResponse, ConnectorError> {
        let status = self.status.try_into();
        let status = status.map_err(|error| ConnectorError::other(Box::new(error), None))?;
        let mut answer = HttpResponse::new(status, SdkBody::from(self.body.clone()));
        for (name, value) in &self.headers {
            answer.headers_mut().append(name.clone(), value.clone());
        }
        Ok(answer)
    }
}

impl Reading {
    /// A client whose answers are part of this reading.
    pub(super) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Shared { reading: self.clone(), inner })
    }

    /// The place of the answer to a read.
    fn place(&self, request: &HttpRequest) -> Option<Arc<OnceCell<Kept>>> {
        let operation = request.extension::<Operation>().filter(|one| is_read(&one.name));
        let body = request.body().bytes().filter(|_| operation.is_some())?.to_vec();
        let question = Question {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            target: request.headers().get("x-amz-target").map(str::to_owned),
            body,
        };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(answers.entry(question).or_default().clone())
    }
}

#[derive(Debug)]
struct Shared<T> {
    reading: Reading,
    inner: T,
}

impl HttpClient for Shared<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Shared { reading: self.reading.clone(), inner })
    }
}

impl HttpConnector for Shared<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(place) = self.reading.place(&request) else { return self.inner.call(request) };
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            // A failure is not kept: whoever asks next sends the question again.
            let ask = async || match inner.call(request).await {
                Ok(answer) => Kept::of(&answer).ok_or(Ok(answer)),
                Err(error) => Err(Err(error)),
            };
            match place.get_or_try_init(ask).await {
                Ok(kept) => kept.again(),
                Err(failed) => failed,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::super::clients::tests::{Does, reading_of};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_same_question_is_sent_once_and_a_failure_is_not_kept() {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let aws = reading_of(move |_| match count.fetch_add(1, Ordering::Relaxed) {
            0 => Does::Answer(400, r#"{"__type":"AccessDeniedException"}"#),
            _ => Does::Answer(200, r#"{"Aliases":[{"AliasName":"alias/a"}],"Truncated":false}"#),
        })
        .await;
        aws.kms.list_aliases().send().await.expect_err("the first answer is a refusal");
        let ask = || aws.kms.list_aliases().send();
        for answer in join_all((0..10).map(|_| ask())).await {
            let aliases = answer.expect("an answer").aliases.expect("a list");
            assert_eq!(aliases[0].alias_name(), Some("alias/a"));
        }
        assert_eq!(sent.load(Ordering::Relaxed), 2);
        assert_eq!(aws.meter.total(), 2, "an answer that was there is not a call");
        ask().await.expect("an answer");
        aws.kms.list_aliases().limit(7).send().await.expect("another question");
        for _ in 0..2 {
            aws.kms.create_key().send().await.expect("a write is sent each time");
        }
        assert_eq!(sent.load(Ordering::Relaxed), 5);
    }
}
