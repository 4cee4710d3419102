//! How long an answer may take. It is kept here, since the time must not run while a call waits for
//! its turn.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes a second a slow line carries: the code of a function takes its time.
const SLOW_LINE: u64 = 100_000;

/// The whole answer to one request, within the time limit, which begins when the request is sent.
pub(super) async fn answer(
    inner: &SharedHttpConnector,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let length = request.body().content_length().unwrap_or_default();
    let whole = async {
        let mut response = inner.call(request).await?;
        let body = ByteStream::new(response.take_body()).collect().await;
        let body = body.map_err(|error| ConnectorError::io(error.into()))?;
        *response.body_mut() = SdkBody::from(body.into_bytes());
        Ok(response)
    };
    let limit = PATIENCE + Duration::from_secs(length / SLOW_LINE);
    timeout(limit, whole).await.unwrap_or_else(|late| Err(ConnectorError::timeout(late.into())))
}
