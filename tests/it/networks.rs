//! Proxies, certificates and endpoints of networks that are not open, each with a stand-in.

use std::process::Command;

use crate::cli_support::{Folder, Ran, ended};
use crate::stand_in::{Asked, Authority, Proxy, Reply, StandIn};

const CONFIG: &str = "project = \"shop\"\nregion = \"us-east-1\"\n\n[queues.jobs]\n";

fn config_folder() -> Folder {
    let folder = Folder::empty();
    folder.write("config/dev.toml", CONFIG);
    folder
}

/// An account that denies every read.
fn account(asked: &Asked) -> Reply {
    let xml = |body: &str| Reply::Answer(200, "text/xml", body.to_owned());
    match asked.service.as_str() {
        "sts" => xml("<GetCallerIdentityResponse><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::111122223333:user/ci</Arn><Account>111122223333</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"),
        "ec2" if asked.text.contains("DescribeAvailabilityZones") => {
            xml("<DescribeAvailabilityZonesResponse><availabilityZoneInfo>\
                 <item><zoneName>us-east-1a</zoneName></item></availabilityZoneInfo>\
                 </DescribeAvailabilityZonesResponse>")
        }
        _ => Reply::Answer(403, "text/plain", String::new()),
    }
}

/// `payctl plan` with keys, and these variables.
fn plan(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let mut command = folder.payctl("plan --env dev");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.envs(variables.iter().copied());
    command
}

/// payctl reached the account, which denies its queues.
fn expect_reached(ran: &Ran) {
    ran.expect(1, "plan");
    let denied = "cannot read sqs.queue: ListQueues: AccessDenied";
    assert!(ran.err.contains(denied), "{}", ran.err);
}

/// The one name for all that AWS has in a region.
const ALL: [&str; 4] =
    ["*.us-east-1.amazonaws.com", "*.amazonaws.com", "*.us-east-1.api.aws", "*.global.api.aws"];

#[test]
fn https_uses_the_proxy_and_the_ca_bundle() {
    let (folder, authority) = (config_folder(), Authority::new());
    folder.write("ca.pem", &authority.pem());
    let server = StandIn::secure(&authority, &ALL, account);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Proxy::to(server.port);
        let bundle = folder.path("ca.pem");
        let bundle = bundle.to_str().expect("UTF-8");
        let ran = ended(&mut plan(&folder, &[(variable, &proxy.url()), ("AWS_CA_BUNDLE", bundle)]));
        expect_reached(&ran);
        let hosts = proxy.hosts();
        for host in ["sts.us-east-1.amazonaws.com:443", "sqs.us-east-1.amazonaws.com:443"] {
            assert!(hosts.contains(&host.to_owned()), "{variable}: {hosts:?}");
        }
    }
}

#[test]
fn the_ca_bundle_can_be_set_in_the_profile() {
    let (folder, authority) = (config_folder(), Authority::new());
    folder.write("ca.pem", &authority.pem());
    let bundle = folder.path("ca.pem").to_string_lossy().into_owned();
    folder.write(".aws/config", &format!("[profile shop]\nca_bundle = {bundle}\n"));
    let server = StandIn::secure(&authority, &ALL, account);
    let proxy = Proxy::to(server.port);
    let mut command = plan(&folder, &[("HTTPS_PROXY", &proxy.url())]);
    command.args(["--profile", "shop"]);
    expect_reached(&ended(&mut command));
}

#[test]
fn a_server_with_an_unknown_ca_is_rejected() {
    let (folder, authority) = (config_folder(), Authority::new());
    folder.write("ca.pem", &Authority::new().pem());
    let server = StandIn::secure(&authority, &ALL, account);
    let proxy = Proxy::to(server.port);
    let bundle = folder.path("ca.pem");
    let bundle = bundle.to_str().expect("UTF-8");
    let ran =
        ended(&mut plan(&folder, &[("HTTPS_PROXY", &proxy.url()), ("AWS_CA_BUNDLE", bundle)]));
    ran.expect(1, "plan");
    assert!(ran.err.contains("UntrustedCertificate"), "{}", ran.err);
    assert!(ran.err.contains(&format!("AWS_CA_BUNDLE names {bundle}")), "{}", ran.err);
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[test]
fn an_unusable_ca_bundle_is_named() {
    let folder = config_folder();
    let ran = ended(&mut plan(&folder, &[("AWS_CA_BUNDLE", "/nowhere/ca.pem")]));
    ran.expect(1, "plan");
    let said = "AWS_CA_BUNDLE names /nowhere/ca.pem: No such file";
    assert!(ran.err.contains(said), "{}", ran.err);
    folder.write("ca.pem", "hello");
    let ran = ended(&mut plan(&folder, &[("AWS_CA_BUNDLE", "ca.pem")]));
    ran.expect(1, "plan");
    assert!(ran.err.contains("ca.pem: it does not contain a certificate"), "{}", ran.err);
}

#[test]
fn only_the_proxy_gets_its_password() {
    let folder = config_folder();
    let proxy = Proxy::refusing("407 Proxy Authentication Required");
    let with = format!("http://me:hidden@127.0.0.1:{}", proxy.port);
    let ran = ended(&mut plan(&folder, &[("HTTPS_PROXY", &with)]));
    ran.expect(1, "plan");
    // `me:hidden` in Base64.
    let asked = proxy.asked();
    assert!(asked[0].to_lowercase().contains("proxy-authorization: basic"), "{asked:?}");
    assert!(asked[0].contains("bWU6aGlkZGVu"), "{asked:?}");
    let named = format!("HTTPS_PROXY names the proxy {}", proxy.url());
    assert!(ran.err.contains(&named), "{}", ran.err);
    assert!(ran.err.contains("ProxyAuthenticationRequired"), "{}", ran.err);
    assert!(!ran.err.contains("hidden"), "{}", ran.err);
}

#[test]
fn an_unreachable_or_refusing_proxy_is_named() {
    let folder = config_folder();
    let refusing = Proxy::refusing("403 Forbidden");
    for url in ["http://127.0.0.1:9".to_owned(), refusing.url()] {
        let ran = ended(&mut plan(&folder, &[("https_proxy", &url)]));
        ran.expect(1, "plan");
        let named = format!("https_proxy names the proxy {url}");
        assert!(ran.err.contains(&named), "{}", ran.err);
    }
}

#[test]
fn local_and_listed_hosts_bypass_the_proxy() {
    let folder = config_folder();
    let server = StandIn::start(account);
    let proxy = Proxy::refusing("403 Forbidden");
    let url = server.url();
    let mut command = plan(&folder, &[("HTTP_PROXY", &proxy.url()), ("http_proxy", &proxy.url())]);
    command.args(["--endpoint-url", &url]);
    expect_reached(&ended(&mut command));
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());

    let all = [("HTTPS_PROXY", proxy.url()), ("HTTP_PROXY", proxy.url())];
    let mut sandbox = folder.payctl("plan --env dev --sandbox");
    let ran = ended(sandbox.envs(all).env("AWS_CA_BUNDLE", "/nowhere/ca.pem"));
    ran.expect(0, "plan --sandbox");
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());

    // This name leads to this machine too.
    let far = format!("http://0.0.0.0:{}", server.port);
    for variable in ["NO_PROXY", "no_proxy"] {
        let listed = [("HTTP_PROXY", &*proxy.url()), (variable, "0.0.0.0,.example.com")];
        let mut command = plan(&folder, &listed);
        command.args(["--endpoint-url", &far]);
        expect_reached(&ended(&mut command));
        assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
    }
    let mut command = plan(&folder, &[("HTTP_PROXY", &proxy.url())]);
    command.args(["--endpoint-url", &far]);
    ended(&mut command).expect(1, "plan");
    assert!(!proxy.asked().is_empty(), "what is not listed goes through it");
}

#[test]
fn fips_and_dual_stack_endpoints_are_used_when_configured() {
    let folder = config_folder();
    folder.write(
        ".aws/config",
        "[profile fips]\nuse_fips_endpoint = true\n[profile dual]\nuse_dualstack_endpoint = true\n",
    );
    // The proxy refuses, so that its first request shows the host.
    let host = |variables: &[(&str, &str)], more: &[&str]| {
        let proxy = Proxy::refusing("407 Proxy Authentication Required");
        let mut command = plan(&folder, &[("HTTPS_PROXY", &proxy.url())]);
        command.envs(variables.iter().copied()).args(more);
        ended(&mut command).expect(1, "plan");
        proxy.hosts()
    };
    let fips = ["ec2-fips.us-east-1.amazonaws.com:443", "sts-fips.us-east-1.amazonaws.com:443"];
    assert_eq!(host(&[("AWS_USE_FIPS_ENDPOINT", "true")], &[]), fips);
    assert_eq!(host(&[], &["--profile", "fips"]), fips);
    let dual = ["ec2.us-east-1.api.aws:443", "sts.us-east-1.api.aws:443"];
    assert_eq!(host(&[("AWS_USE_DUALSTACK_ENDPOINT", "true")], &[]), dual);
    assert_eq!(host(&[], &["--profile", "dual"]), dual);
    let plain = ["ec2.us-east-1.amazonaws.com:443", "sts.us-east-1.amazonaws.com:443"];
    assert_eq!(host(&[], &[]), plain);
}

#[test]
fn every_service_uses_its_fips_endpoint() {
    let (folder, authority) = (config_folder(), Authority::new());
    folder.write("ca.pem", &authority.pem());
    let server = StandIn::secure(&authority, &ALL, account);
    let proxy = Proxy::to(server.port);
    let bundle = folder.path("ca.pem");
    let ran = ended(&mut plan(
        &folder,
        &[
            ("HTTPS_PROXY", &proxy.url()),
            ("AWS_CA_BUNDLE", bundle.to_str().expect("UTF-8")),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ],
    ));
    expect_reached(&ran);
    let hosts = proxy.hosts();
    assert!(hosts.contains(&"sqs-fips.us-east-1.amazonaws.com:443".to_owned()), "{hosts:?}");
    let plain: Vec<&String> = hosts.iter().filter(|host| !host.contains("fips")).collect();
    assert!(plain.is_empty(), "{plain:?}");
}

#[test]
fn a_local_endpoint_ignores_fips_and_dual_stack() {
    let folder = config_folder();
    let server = StandIn::start(account);
    let url = server.url();
    let mut command =
        plan(&folder, &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
    command.args(["--endpoint-url", &url]);
    expect_reached(&ended(&mut command));
}
