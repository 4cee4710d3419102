//! What stands in for AWS, or stands between: an HTTP server that answers by a rule, in TLS with a
//! certificate of its own authority if asked to, and a proxy that opens tunnels to it. Nothing here
//! reaches any network but loopback.

use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request, as far as rules look at it.
pub struct Asked {
    /// The service that it is signed for; empty if it is not signed.
    pub service: String,
    /// The host that it is for.
    pub host: String,
    /// The operation in the target header or the body, if it is told there.
    pub text: String,
}

/// What becomes of a request.
pub enum Reply {
    /// Whoever listens at this port answers.
    Pass(u16),
    /// The status, the content type and the body.
    Answer(u16, &'static str, String),
    /// The same with the time that the server's clock shows.
    Dated(u16, &'static str, String, String),
    /// Nothing, for longer than any test waits.
    Stall,
}

type Rule = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server on loopback, and what it was asked: `service host`.
pub struct StandIn {
    pub port: u16,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl StandIn {
    /// A plain one.
    pub fn start(rule: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, rule)
    }

    /// One that speaks TLS.
    pub fn secure(
        authority: &Authority,
        hosts: &[&str],
        rule: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(authority.server(hosts)), rule)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        rule: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let rule: Arc<Rule> = Arc::new(rule);
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let noted = asked.clone();
        let port = accept(move |stream| {
            let (rule, noted) = (rule.clone(), noted.clone());
            // A client that breaks off, as one does that trusts no certificate, is its own witness.
            let _broken = match &tls {
                None => serve(stream, &*rule, &noted),
                Some(tls) => ServerConnection::new(tls.clone())
                    .map_err(io::Error::other)
                    .and_then(|session| serve(StreamOwned::new(session, stream), &*rule, &noted)),
            };
        });
        Self { port, asked }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The services that were asked, with the host, each once.
    pub fn asked(&self) -> Vec<(String, String)> {
        let mut asked = self.asked.lock().expect("no panic").clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

/// Listens on a free port, and serves each connection in a thread; all end with the process.
fn accept(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("a bound address").port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Answers one request, and closes.
fn serve(
    stream: impl Read + Write,
    rule: &Rule,
    noted: &Mutex<Vec<(String, String)>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let head = read_head(&mut stream)?;
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut body)?;
    let signed = header("authorization");
    let asked = Asked {
        service: signed.split('/').nth(3).unwrap_or_default().to_owned(),
        host: header("host"),
        text: format!("{} {}", header("x-amz-target"), String::from_utf8_lossy(&body)),
    };
    noted.lock().expect("no panic").push((asked.service.clone(), asked.host.clone()));
    let (status, kind, body, date) = match rule(&asked) {
        Reply::Answer(status, kind, body) => (status, kind, body, String::new()),
        Reply::Dated(status, kind, body, date) => (status, kind, body, format!("date: {date}\r\n")),
        Reply::Stall => {
            std::thread::sleep(Duration::from_secs(600));
            return Ok(());
        }
        Reply::Pass(port) => {
            let mut there = TcpStream::connect(("127.0.0.1", port))?;
            let lines: Vec<&str> = head.lines().filter(|line| !line.is_empty()).collect();
            let lines = lines.iter().filter(|line| !line.to_lowercase().starts_with("connection:"));
            let head: Vec<&str> = lines.copied().chain(["connection: close", "", ""]).collect();
            there.write_all(head.join("\r\n").as_bytes())?;
            there.write_all(&body)?;
            let mut answer = Vec::new();
            there.read_to_end(&mut answer)?;
            stream.get_mut().write_all(&answer)?;
            return stream.get_mut().flush();
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n{date}content-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(answer.as_bytes())?;
    stream.get_mut().flush()
}

/// The lines up to the empty one.
fn read_head(stream: &mut impl io::BufRead) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// A proxy for tunnels, and the requests that it got.
pub struct Proxy {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// One that opens every tunnel to this port, whatever host is asked for.
    pub fn to(port: u16) -> Self {
        Self::start("200 Connection established", Some(port))
    }

    /// One that refuses, with this status.
    pub fn refusing(status: &'static str) -> Self {
        Self::start(status, None)
    }

    fn start(status: &'static str, to: Option<u16>) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = asked.clone();
        let port = accept(move |stream| {
            let _broken = tunnel(stream, status, to, &noted);
        });
        Self { port, asked }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads of the requests.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The hosts that tunnels were asked for, each once.
    pub fn hosts(&self) -> Vec<String> {
        let asked = self.asked();
        let lines = asked.iter().filter_map(|head| head.strip_prefix("CONNECT "));
        let mut hosts: Vec<String> =
            lines.filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

fn tunnel(
    mut stream: TcpStream,
    status: &str,
    to: Option<u16>,
    noted: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let head = read_head(&mut BufReader::new(stream.try_clone()?))?;
    noted.lock().expect("no panic").push(head);
    stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes())?;
    let Some(port) = to else { return Ok(()) };
    let there = TcpStream::connect(("127.0.0.1", port))?;
    let (mut from, mut into) = (stream.try_clone()?, there.try_clone()?);
    std::thread::spawn(move || {
        let _broken = io::copy(&mut from, &mut into);
        let _closed = into.shutdown(std::net::Shutdown::Write);
    });
    io::copy(&mut &there, &mut stream)?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// An authority that nobody knows.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn server(&self, hosts: &[&str]) -> Arc<ServerConfig> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(hosts).expect("host names");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.expect("the key is the certificate's"))
    }
}
