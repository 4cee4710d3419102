//! The connection to AWS: TLS, trusted certificates, and proxies.
//!
//! payctl reads the same settings as other AWS tools: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
//! `NO_PROXY` (also in lower case) and `AWS_CA_BUNDLE`, or `ca_bundle` of the profile.

use std::borrow::Cow;
use std::net::IpAddr;

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::os_shim_internal::{Env, Fs};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use payctl_engine::model::error::{ErrorClass, OpError};

/// The variable that names the file with the certificates to trust.
const BUNDLE: &str = "AWS_CA_BUNDLE";
/// The variables that may name the proxy for HTTPS; the first that is set counts.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The ordinary transport: HTTPS, through the proxy that the environment names. Addresses on this
/// machine, or on its link like the metadata of an instance, do not need a proxy.
pub(super) async fn transport(profile: Option<&str>) -> Result<SharedHttpClient, OpError> {
    let tls = tls(profile).await?;
    Ok(SharedHttpClient::new(Network {
        direct: client(tls.clone(), ProxyConfig::disabled),
        proxied: client(tls, ProxyConfig::from_env),
    }))
}

/// The certificates to trust.
async fn tls(profile: Option<&str>) -> Result<TlsContext, OpError> {
    let trust = match bundle(profile).await {
        Some((path, told)) => TrustStore::empty().with_pem_certificate(certificates(&path, told)?),
        None => TrustStore::default(),
    };
    let tls = TlsContext::builder().with_trust_store(trust).build();
    tls.map_err(|error| unusable(error.to_string()))
}

fn client(tls: TlsContext, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let provider = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector = ConnectorBuilder::default().tls_provider(provider);
        connector.set_tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(proxy()));
        connector.build()
    })
}

/// The path of the certificate file, and the setting that names it.
async fn bundle(profile: Option<&str>) -> Option<(String, &'static str)> {
    if let Some(path) = variable(BUNDLE) {
        return Some((path, BUNDLE));
    }
    let (fs, env, files) = (Fs::real(), Env::real(), EnvConfigFiles::default());
    let chosen = profile.map(|profile| Cow::Owned(profile.to_owned()));
    // If the profile cannot be read, the credentials chain reports that.
    let profiles = aws_config::profile::load(&fs, &env, &files, chosen).await.ok()?;
    Some((profiles.get("ca_bundle")?.to_owned(), "ca_bundle of the profile"))
}

/// The certificates in a file, after a check that it contains some.
fn certificates(path: &str, told: &str) -> Result<Vec<u8>, OpError> {
    let failed = |what: String| unusable(format!("{told} names {path}: {what}"));
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|error| failed(format!("it is not a PEM file: {error:?}")))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        Err(failed("it does not contain a certificate".to_owned()))
    } else {
        Ok(pem)
    }
}

fn unusable(message: String) -> OpError {
    OpError::new("connect", ErrorClass::Invalid, "UnusableCertificates", message)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The proxy for HTTPS without its password, and the variable that names it.
fn proxy() -> Option<(&'static str, String)> {
    let (name, proxy) = PROXIES.iter().find_map(|name| Some((*name, variable(name)?)))?;
    Some((name, without_password(&proxy)))
}

fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    match scheme {
        "" => host.to_owned(),
        scheme => format!("{scheme}://{host}"),
    }
}

/// Explains errors of the proxy or of a certificate.
pub(super) fn explain(op: &str, chain: &str) -> Option<OpError> {
    let error = |class, code: &str, hint: String| {
        Some(OpError::new(op, class, code, format!("{chain} ({hint})")))
    };
    if chain.contains("invalid peer certificate") {
        let hint = match variable(BUNDLE) {
            Some(path) => format!("{BUNDLE} names {path}, which does not verify this certificate"),
            None => {
                format!(
                    "if your network inspects TLS, set {BUNDLE} to the file with its certificate"
                )
            }
        };
        return error(ErrorClass::Invalid, "UntrustedCertificate", hint);
    }
    let is_tunnel = chain.contains("tunnel error");
    if !is_tunnel && !chain.contains("connect timeout") {
        return None;
    }
    let (variable, proxy) = proxy()?;
    if chain.contains("proxy authorization required") {
        let hint =
            format!("{variable} names the proxy {proxy}: set it to http://USER:PASSWORD@HOST:PORT");
        return error(ErrorClass::Invalid, "ProxyAuthenticationRequired", hint);
    }
    error(ErrorClass::Service, "ProxyFailed", format!("{variable} names the proxy {proxy}"))
}

/// Whether a URL leads to this machine, or no farther than its link.
fn is_near(url: &str) -> bool {
    let is_link = match host(url).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_link_local(),
        Ok(IpAddr::V6(_)) => host(url).eq_ignore_ascii_case(METADATA_V6),
        Err(_) => false,
    };
    is_link || is_here(url)
}

/// Whether a URL leads to this machine.
pub(super) fn is_here(url: &str) -> bool {
    let host = host(url);
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The host of a URL, without its port.
fn host(url: &str) -> &str {
    let host = authority(url);
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Host and port of a URL.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// The IPv6 address of the instance metadata service.
const METADATA_V6: &str = "fd00:ec2::254";

/// Two ways out: with a proxy and without.
#[derive(Clone, Debug)]
struct Network<T> {
    direct: T,
    proxied: T,
}

impl HttpClient for Network<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Network {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }
}

impl HttpConnector for Network<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if is_near(request.uri()) { self.direct.call(request) } else { self.proxied.call(request) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_bypass_the_proxy() {
        for url in [
            "http://127.0.0.1:4566/queue",
            "https://localhost",
            "http://bucket.localhost:5000/key?x=@",
            "http://[::1]:80/",
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::254]/latest/api/token",
        ] {
            assert!(is_near(url), "{url}");
        }
        for url in [
            "https://sqs.us-east-1.amazonaws.com/",
            "https://127.0.0.1.example.com/",
            "http://10.0.0.1:4566",
            "https://localhost@sqs.us-east-1.amazonaws.com/",
        ] {
            assert!(!is_near(url), "{url}");
        }
    }

    #[test]
    fn a_proxy_password_is_not_shown() {
        assert_eq!(without_password("http://me:s@cret@proxy:3128"), "http://proxy:3128");
        assert_eq!(without_password("proxy:3128"), "proxy:3128");
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let path = path.to_str().unwrap();
        let said = |path: &str| certificates(path, BUNDLE).unwrap_err().message;
        assert!(said(path).starts_with(&format!("AWS_CA_BUNDLE names {path}: No such file")));
        std::fs::write(path, "hello").unwrap();
        assert!(said(path).ends_with("it does not contain a certificate"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(path, broken).unwrap();
        assert!(said(path).contains(path));
    }
}
