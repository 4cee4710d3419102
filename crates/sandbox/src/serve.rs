//! The sandbox on a loopback port, for the AWS CLI, boto3 and Terraform.
//!
//! A web page in a browser can also send requests to loopback. So the server refuses requests from
//! browsers: those for another host name (DNS rebinding), those with an origin, and those without a
//! signature in AWS's form. It does not check the signature itself, so any keys work.

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
use super::run::gateway::Target;
use super::run::work;
use super::wire::{Request, Response, Route};

/// The largest body of a request.
const LARGEST_BODY: usize = 96 << 20;

/// Serves on 127.0.0.1 until `stop` is done. If `port` is 0, the system chooses a free one.
/// `on_ready` gets the port.
pub async fn serve(
    sandbox: Sandbox,
    port: u16,
    stop: impl Future<Output = ()>,
    on_ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let place = listener.local_addr()?;
    sandbox.runner().served_at(Some(place));
    on_ready(place);
    tokio::select! {
        () = stop => {}
        () = listen(sandbox.clone(), listener) => {}
        () = work(sandbox.clone()) => {}
    }
    sandbox.runner().served_at(None);
    Ok(())
}

/// Answers what comes to a listener.
pub(crate) async fn listen(sandbox: Sandbox, listener: TcpListener) {
    // Dropped at the end, which ends the connections, and the functions that run for them; another
    // call is never cut in the middle, since answering one does not yield.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that fails before it begins concerns only its client.
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
    let admitted = match Target::of(&request) {
        // A stage of an API is for everybody who reaches this machine by its name, browsers too.
        Some(_) => is_here(&request, parts.uri.host()),
        None => admit(&request, parts.uri.host()),
    };
    if let Err(why) = admitted {
        return plain(403, why);
    }
    let is_head = request.method == "HEAD";
    match sandbox.respond(&request).await {
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

/// Whether a request may come from a client of AWS on this machine. The error says why not.
/// `target` is the host of a request for a proxy.
fn admit(request: &Request, target: Option<&str>) -> Result<(), &'static str> {
    is_here(request, target)?;
    let of_browsers = |name: &str| name == "origin" || name.starts_with("sec-fetch-");
    if request.headers.iter().any(|(name, _)| of_browsers(name)) {
        return Err("the sandbox does not answer browsers");
    }
    if request.header("authorization").is_some_and(|signed| signed.starts_with("AWS4-")) {
        return Ok(());
    }
    let Route { service, operation, .. } = Route::of(request);
    // A presigned link on a web page can only read with these methods.
    let presigned = request.query().contains("X-Amz-Signature=");
    match service.as_str() {
        "s3" if presigned && request.method != "POST" => Ok(()),
        "sts" if presigned && operation == "GetCallerIdentity" => Ok(()),
        // A client without keys does not sign.
        "sts" if operation.starts_with("AssumeRoleWith") && request.method == "POST" => Ok(()),
        _ => Err("the sandbox answers only signed requests: sign with any keys"),
    }
}

/// Whether a request names this machine, and not another that somebody pointed here.
fn is_here(request: &Request, target: Option<&str>) -> Result<(), &'static str> {
    let host = request.header("host").ok_or("the sandbox answers no request without a host")?;
    if is_loopback(host) && target.is_none_or(is_loopback) {
        Ok(())
    } else {
        Err("the sandbox answers only requests for 127.0.0.1, localhost or [::1]")
    }
}

/// Whether a host is this machine: a loopback address, `localhost`, or a bucket of it.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    ["127.0.0.1", "localhost", "[::1]"].contains(&name.as_str()) || name.ends_with(".localhost")
}

fn plain(status: u16, text: &str) -> Result<hyper::Response<Full<Bytes>>, hyper::http::Error> {
    hyper::Response::builder().status(status).body(Full::new(Bytes::from(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sts/\
                          aws4_request, SignedHeaders=host, Signature=0";

    /// A request for the caller's identity with these headers.
    fn request(host: &str, headers: &str) -> String {
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    async fn ask(at: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

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
        let text = ask(at, &request("localhost", &format!("{SIGNED}\r\n"))).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
        assert!(text.contains("<Account>000000000000</Account>"), "{text}");
        let port = at.port();
        for host in [&format!("127.0.0.1:{port}"), "LOCALHOST", "[::1]:80", "shop.localhost:4566"] {
            let text = ask(at, &request(host, &format!("{SIGNED}\r\n"))).await;
            assert!(text.starts_with("HTTP/1.1 200"), "{host}: {text}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:4566", "::1", ""] {
            let text = ask(at, &request(host, &format!("{SIGNED}\r\n"))).await;
            assert!(text.starts_with("HTTP/1.1 403"), "{host}: {text}");
        }
        for more in ["origin: http://localhost:4566", "origin: null", "sec-fetch-site: same-origin"]
        {
            let text = ask(at, &request("localhost", &format!("{SIGNED}\r\n{more}\r\n"))).await;
            assert!(text.starts_with("HTTP/1.1 403"), "{more}: {text}");
            assert!(text.ends_with("the sandbox does not answer browsers"), "{text}");
        }
        let text = ask(at, &request("localhost", "")).await;
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
        let proxied = request("localhost", &format!("{SIGNED}\r\n"));
        let text = ask(at, &proxied.replace("POST / ", "POST http://evil.example/ ")).await;
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
    }

    #[test]
    fn a_request_from_a_web_page_changes_nothing() {
        let admitted = |method: &str, target: &str, body: &str| {
            let form = "application/x-www-form-urlencoded".to_owned();
            let headers = vec![
                ("host".to_owned(), "localhost".to_owned()),
                ("content-type".to_owned(), if body.is_empty() { String::new() } else { form }),
            ];
            let (method, target) = (method.to_owned(), target.to_owned());
            let request = Request { method, target, headers, body: body.as_bytes().to_vec() };
            admit(&request, None).is_ok()
        };
        let scope = |service: &str| {
            format!("X-Amz-Credential=k%2F20260101%2Fus-east-1%2F{service}%2Faws4_request")
        };
        let s3 = format!("/shop/key?{}&X-Amz-Signature=0", scope("s3"));
        assert!(admitted("GET", &s3, "") && admitted("PUT", &s3, ""));
        assert!(!admitted("POST", &s3, "") && !admitted("GET", "/shop/key", ""));
        let query = |service: &str, action: &str| {
            format!("/?Action={action}&{}&X-Amz-Signature=0", scope(service))
        };
        assert!(admitted("GET", &query("sts", "GetCallerIdentity"), ""));
        assert!(!admitted("GET", &query("sts", "AssumeRole"), ""));
        assert!(!admitted("GET", &query("ec2", "DeleteVpc"), ""));
        assert!(!admitted("GET", &query("iam", "CreateRole"), ""));
        let web = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15";
        assert!(admitted("POST", "/", web));
        assert!(!admitted("POST", "/", "Action=DeleteVpc&Version=2016-11-15"));
        assert!(!admitted("GET", &format!("/?{web}"), ""));
    }
}
