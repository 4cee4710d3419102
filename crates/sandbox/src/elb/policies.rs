//! The TLS policies of secure listeners.

use serde_json::{Value, json};

use super::super::toolbox::{text, texts};
use super::super::{Answer, Refusal};
use super::{invalid, listed};

/// The ciphers, in the order in which AWS prefers them.
const CIPHERS: [&str; 21] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
    "AES256-SHA",
];

/// Which ciphers a policy has.
#[derive(Clone, Copy, PartialEq)]
enum Ciphers {
    /// Those with Galois/Counter Mode and forward secrecy.
    Strict,
    /// Those with forward secrecy and a SHA-2 digest.
    Secret,
    /// Those with a SHA-2 digest.
    Sha2,
    All,
}

impl Ciphers {
    fn has(self, cipher: &str) -> bool {
        let (secret, sha1) = (cipher.starts_with("ECDHE-"), cipher.ends_with("-SHA"));
        match self {
            Self::Strict => secret && cipher.contains("-GCM-"),
            Self::Secret => secret && !sha1,
            Self::Sha2 => !sha1,
            Self::All => true,
        }
    }
}

/// Name, oldest and newest version of TLS (`2` is TLS 1.2), and the ciphers below TLS 1.3.
const POLICIES: &[(&str, u8, u8, Ciphers)] = &[
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", 3, 3, Ciphers::Strict),
    ("ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", 3, 3, Ciphers::Strict),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", 2, 3, Ciphers::Secret),
    ("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", 2, 3, Ciphers::Secret),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", 2, 3, Ciphers::Strict),
    ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", 2, 3, Ciphers::Strict),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", 2, 3, Ciphers::Sha2),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-PQ-2025-09", 2, 3, Ciphers::Sha2),
    ("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", 2, 3, Ciphers::All),
    ("ELBSecurityPolicy-TLS13-1-2-Ext2-PQ-2025-09", 2, 3, Ciphers::All),
    ("ELBSecurityPolicy-TLS13-1-1-2021-06", 1, 3, Ciphers::All),
    ("ELBSecurityPolicy-TLS13-1-0-2021-06", 0, 3, Ciphers::All),
    ("ELBSecurityPolicy-TLS13-1-0-PQ-2025-09", 0, 3, Ciphers::All),
    ("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", 2, 2, Ciphers::All),
    ("ELBSecurityPolicy-TLS-1-2-2017-01", 2, 2, Ciphers::Sha2),
    ("ELBSecurityPolicy-TLS-1-1-2017-01", 1, 2, Ciphers::All),
    ("ELBSecurityPolicy-2016-08", 0, 2, Ciphers::All),
    ("ELBSecurityPolicy-FS-1-2-Res-2020-10", 2, 2, Ciphers::Strict),
];

/// Refuses a policy that is not there.
pub(super) fn check(name: &str) -> Result<(), Refusal> {
    match POLICIES.iter().any(|(known, ..)| *known == name) {
        true => Ok(()),
        false => Err(Refusal::new("SSLPolicyNotFound", format!("SSL policy '{name}' not found"))),
    }
}

pub(super) fn describe(input: &Value) -> Answer {
    let names = texts(input, "Names");
    for name in &names {
        check(name)?;
    }
    let kind = text(input, "LoadBalancerType");
    if kind.is_some_and(|kind| !["application", "network"].contains(&kind)) {
        return Err(invalid("SSL policies are for application and network load balancers"));
    }
    let here = POLICIES
        .iter()
        .enumerate()
        .filter(|(_, (name, ..))| names.is_empty() || names.iter().any(|wanted| wanted == name));
    let shown = here.map(|(at, (name, oldest, newest, ciphers))| {
        let versions = (*oldest..=*newest).rev().map(|minor| match minor {
            0 => "TLSv1".to_owned(),
            minor => format!("TLSv1.{minor}"),
        });
        let has = |cipher: &&str| match cipher.starts_with("TLS_") {
            true => *newest == 3,
            false => *oldest < 3 && ciphers.has(cipher),
        };
        let ciphers = CIPHERS.iter().filter(|cipher| has(cipher)).enumerate();
        let ciphers = ciphers.map(|(at, name)| json!({ "Name": name, "Priority": at + 1 }));
        let policy = json!({
            "Name": name,
            "SslProtocols": versions.collect::<Vec<_>>(),
            "Ciphers": ciphers.collect::<Vec<_>>(),
            "SupportedLoadBalancerTypes": ["application", "network"],
        });
        (format!("{at:03}"), policy)
    });
    Ok(listed(input, "SslPolicies", shown.collect()))
}
