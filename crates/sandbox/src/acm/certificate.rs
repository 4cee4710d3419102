//! A certificate: the records that prove it, and its descriptions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::toolbox::{Tags, digest};
use super::super::{ACCOUNT, World};
use super::users;

/// How long a strict sandbox takes to say the records, in seconds.
const TO_SAY: f64 = 5.0;
const DAY: f64 = 86_400.0;
/// How long ACM waits for the records.
const WAITS: f64 = 3.0 * DAY;
/// How long a certificate is valid, and when before its end AWS renews it, in days.
const VALID: f64 = 395.0;
const RENEWED: f64 = 60.0;

/// A certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Certificate {
    pub(super) domain: String,
    /// All names, the domain first.
    pub(super) names: Vec<String>,
    pub(super) method: String,
    /// What a repeated request is known by.
    pub(super) token: Option<String>,
    pub(super) key: String,
    pub(super) options: BTreeMap<String, String>,
    pub(super) tags: Tags,
    pub(super) made: f64,
    /// When it is issued, once the names are proven.
    pub(super) issued: Option<f64>,
}

/// The name and the value of the record that proves a domain. A wildcard has that of its domain.
pub(super) fn record(domain: &str) -> (String, String) {
    let base = domain.trim_start_matches("*.").to_lowercase();
    let (one, other) = (digest(&format!("{ACCOUNT}|{base}")), digest(&format!("proof|{base}")));
    let zone: String = other[32..42].bytes().map(|byte| char::from(b'a' + byte % 26)).collect();
    (format!("_{}.{base}.", &one[..32]), format!("_{}.{zone}.acm-validations.aws.", &other[..32]))
}

impl Certificate {
    pub(super) fn is_issued(&self, now: f64) -> bool {
        self.issued.is_some_and(|when| when <= now)
    }

    pub(super) fn status(&self, now: f64) -> &'static str {
        match self.issued {
            Some(when) if when <= now => "ISSUED",
            _ if self.is_given_up(now) => "VALIDATION_TIMED_OUT",
            _ => "PENDING_VALIDATION",
        }
    }

    /// Whether ACM no longer waits for the records.
    pub(super) fn is_given_up(&self, now: f64) -> bool {
        !self.is_issued(now) && now >= self.made + WAITS
    }

    fn expires(&self) -> Option<f64> {
        Some(self.issued? + VALID * DAY)
    }

    /// What is to be proven of each name.
    fn proofs(&self, world: &World) -> Vec<Value> {
        let (now, is_strict) = (world.base.now(), world.base.strict);
        let is_said = !is_strict || now >= self.made + TO_SAY;
        let status = match self.status(now) {
            "ISSUED" => "SUCCESS",
            "VALIDATION_TIMED_OUT" => "FAILED",
            pending => pending,
        };
        let proof = |domain: &String| {
            let mut proof = json!({
                "DomainName": domain,
                "ValidationDomain": domain,
                "ValidationMethod": self.method,
                "ValidationStatus": status,
            });
            if self.method == "EMAIL" {
                proof["ValidationEmails"] = json!([]);
            } else if is_said {
                let (name, value) = record(domain);
                proof["ResourceRecord"] = json!({ "Name": name, "Type": "CNAME", "Value": value });
            }
            proof
        };
        self.names.iter().map(proof).collect()
    }

    /// What descriptions and lists both tell.
    fn shown(&self, world: &World, arn: &str) -> Value {
        let now = world.base.now();
        let is_used = !users(world, arn).is_empty();
        let eligible = self.is_issued(now) && is_used;
        let mut view = json!({
            "CertificateArn": arn,
            "DomainName": self.domain,
            "Status": self.status(now),
            "Type": "AMAZON_ISSUED",
            "KeyAlgorithm": self.key.replacen('_', "-", 1),
            "CreatedAt": self.made,
            "RenewalEligibility": if eligible { "ELIGIBLE" } else { "INELIGIBLE" },
        });
        if self.is_issued(now) {
            view["IssuedAt"] = json!(self.issued);
            view["NotBefore"] = json!(self.issued.map(|when| when - when % DAY));
            view["NotAfter"] = json!(self.expires());
        }
        view
    }

    fn usages(&self, now: f64) -> (&'static [&'static str], &'static [&'static str]) {
        if self.is_issued(now) {
            (
                &["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"],
                &["TLS_WEB_SERVER_AUTHENTICATION", "TLS_WEB_CLIENT_AUTHENTICATION"],
            )
        } else {
            (&[], &[])
        }
    }

    pub(super) fn described(&self, world: &World, arn: &str) -> Value {
        let now = world.base.now();
        let mut view = self.shown(world, arn);
        let (usages, extended) = self.usages(now);
        let oid = |at: usize| format!("1.3.6.1.5.5.7.3.{}", at + 1);
        let more = json!({
            "SubjectAlternativeNames": self.names,
            "DomainValidationOptions": self.proofs(world),
            "Subject": format!("CN={}", self.domain),
            "Issuer": "Amazon",
            "SignatureAlgorithm": match self.key.as_str() {
                "EC_prime256v1" => "SHA256WITHECDSA",
                "EC_secp384r1" => "SHA384WITHECDSA",
                "EC_secp521r1" => "SHA512WITHECDSA",
                _ => "SHA256WITHRSA",
            },
            "InUseBy": users(world, arn),
            "KeyUsages": usages.iter().map(|name| json!({ "Name": name })).collect::<Vec<_>>(),
            "ExtendedKeyUsages": extended
                .iter()
                .enumerate()
                .map(|(at, name)| json!({ "Name": name, "OID": oid(at) }))
                .collect::<Vec<_>>(),
            "Options": self.options,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            view[key] = value.clone();
        }
        if self.is_issued(now) {
            let hex = digest(arn);
            let pairs: Vec<&str> = (0..16).map(|at| &hex[at * 2..at * 2 + 2]).collect();
            view["Serial"] = json!(pairs.join(":"));
        }
        if let Some(since) = self.expires().map(|end| end - RENEWED * DAY).filter(|at| *at <= now) {
            view["RenewalSummary"] = json!({
                "RenewalStatus": "PENDING_AUTO_RENEWAL",
                "DomainValidationOptions": self.proofs(world),
                "UpdatedAt": since,
            });
        }
        view
    }

    pub(super) fn listed(&self, world: &World, arn: &str) -> Value {
        let mut view = self.shown(world, arn);
        let (usages, extended) = self.usages(world.base.now());
        let more = json!({
            "SubjectAlternativeNameSummaries": self.names,
            "HasAdditionalSubjectAlternativeNames": false,
            "KeyUsages": usages,
            "ExtendedKeyUsages": extended,
            "ExportOption": self.options.get("Export"),
            "Exported": false,
            "InUse": !users(world, arn).is_empty(),
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            view[key] = value.clone();
        }
        view
    }
}
