//! The sandbox on a loopback port, for the AWS CLI, boto3 and Terraform.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::connector::Sandbox;
use super::wire::{Request, Response};

/// The most that one request may carry.
const LARGEST_BODY: usize = 64 << 20;

/// Serves until `stop` is done, on 127.0.0.1 only. Port 0 takes a free one; `on_ready` is told.
pub async fn serve(
    sandbox: Sandbox,
    port: u16,
    stop: impl Future<Output = ()>,
    on_ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    on_ready(listener.local_addr()?);
    let mut stop = std::pin::pin!(stop);
    // Dropped at the end, which ends the connections; a call is never cut in the middle, since
    // answering one does not yield.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => {
                // A connection that failed before it began concerns its client alone.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(sandbox.clone(), stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(sandbox: Sandbox, stream: TcpStream) {
    let service = service_fn(move |request| {
        let sandbox = sandbox.clone();
        async move { answer(&sandbox, request).await }
    });
    let ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the sandbox broke");
    }
}

async fn answer(
    sandbox: &Sandbox,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::http::Error> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return plain(413, "the request is larger than the sandbox takes, or broke off");
    };
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let request = Request {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers.collect(),
        body: body.to_bytes().to_vec(),
    };
    let is_head = request.method == "HEAD";
    match sandbox.answer(&request) {
        Ok(Response { status, headers, body }) => {
            let mut response = hyper::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full::new(if is_head { Bytes::new() } else { body.into() }))
        }
        Err(error) => plain(500, &error.to_string()),
    }
}

fn plain(status: u16, text: &str) -> Result<hyper::Response<Full<Bytes>>, hyper::http::Error> {
    hyper::Response::builder().status(status).body(Full::new(Bytes::from(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_answers_on_loopback_until_it_is_stopped() {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let stop = async { stopped.await.unwrap() };
            serve(Sandbox::in_memory(), 0, stop, |at| ready.send(at).unwrap()).await
        });
        let at = is_ready.await.unwrap();
        assert!(at.ip().is_loopback());
        let mut stream = TcpStream::connect(at).await.unwrap();
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("<Account>000000000000</Account>"), "{text}");
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
    }
}
