//! Certificates of ACM, which DNS records prove.
//!
//! AWS quirks: a certificate does not have a name, and its list shows no tags. The records to set
//! are known only seconds after the request. They are the same for all certificates of the account
//! for a domain, in every region, and ACM needs them again for each renewal. ACM spells key
//! algorithms with an underscore in requests and with a hyphen in answers, and lists only RSA keys of
//! up to 2,048 bits unless asked for others. A renewal keeps the ARN.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateType, Filters, KeyAlgorithm, Tag,
    ValidationMethod,
};
use aws_sdk_route53::types::{ChangeAction, RrType};
use futures::future::{try_join, try_join_all};
use serde::{Deserialize, Serialize};

use crate::aws::clients::Aws;
use crate::aws::error::{Gone, op};
use crate::aws::kinds::route53::common::{self, Zone};
use crate::aws::resource::{Cx, Resource, Survey};
use payctl_engine::model::drawn::Drawn;
use payctl_engine::model::error::{ErrorClass, OpError};
use payctl_engine::model::live::{Found, Live, Owner, Phase, Tags};
use payctl_engine::model::meta::{Meta, Pricing, Replace, Typical};
use payctl_engine::model::naming::NameRule;
use payctl_engine::model::permit::Permit;
use payctl_engine::model::text::{Output, Outputs};

/// A certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// The first name.
    pub domain: String,
    /// The further names.
    pub names: BTreeSet<String>,
    /// The algorithm of its key, `RSA_2048`.
    pub key: String,
    /// The public hosted zone that holds the records which prove the names; unmanaged if unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// The keys that ACM makes.
const KEYS: [KeyAlgorithm; 7] = [
    KeyAlgorithm::Rsa1024,
    KeyAlgorithm::Rsa2048,
    KeyAlgorithm::Rsa3072,
    KeyAlgorithm::Rsa4096,
    KeyAlgorithm::EcPrime256v1,
    KeyAlgorithm::EcSecp384r1,
    KeyAlgorithm::EcSecp521r1,
];

/// How long resolvers keep a record that proves a name, in seconds.
const TTL: i64 = 300;

impl Resource for Certificate {
    const META: Meta = Meta {
        drawn: Drawn::badge("certificate", "certificate", &[]),
        notes: &[
            "payctl waits up to 45 minutes until ACM has issued it. Without `zone` it shows the \
             records that you have to set. If that takes longer, the next apply continues to wait. \
             ACM gives up after 72 hours.",
            "ACM renews it by itself while the records are there and something uses it. A renewal \
             changes nothing that payctl compares.",
            "The records that prove a domain belong to the account: all its certificates for the \
             domain share them. payctl writes those that are missing. It never changes or deletes \
             one, so a destroy leaves them.",
            "ACM lists no tags: payctl asks for those of each certificate that ACM issued in the \
             region.",
        ],
        immutable: &["domain", "names", "key"],
        replace: Replace::CreateFirst,
        can_duplicate: true,
        use_blocks_delete: true,
        updatable_while_pending: true,
        deadline: Duration::from_secs(2700),
        permits: &[
            Permit::look(&["acm:ListCertificates"], &["*"]),
            Permit::look(
                &["acm:DescribeCertificate", "acm:ListTagsForCertificate"],
                &["acm:{here}:certificate/*"],
            ),
            Permit::look(&["route53:ListHostedZones"], &["*"]),
            Permit::look(&["route53:ListResourceRecordSets"], &["route53:::hostedzone/*"]),
            Permit::create(&["acm:AddTagsToCertificate", "acm:RequestCertificate"], &["*"]),
            Permit::set(&["route53:ChangeResourceRecordSets"], &["route53:::hostedzone/*"]),
            Permit::change(
                &["acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate"],
                &["acm:{here}:certificate/*"],
            ),
            Permit::delete(&["acm:DeleteCertificate"], &["acm:{here}:certificate/*"]),
        ],
        names: Some(NameRule::tag("certificate")),
        section: "certificates",
        asked: &["domain", "names"],
        typical: Typical::seconds(70, 5, 5),
        serves: true,
        pricing: Pricing::Free("AWS charges nothing for a public certificate."),
        types: &["acm:certificate"],
        ..Meta::new("acm.certificate", "acm", "A certificate of ACM, which DNS records prove.")
    };

    fn sample() -> Self {
        Self {
            domain: "sample.example.com".into(),
            names: BTreeSet::from(["*.sample.example.com".into()]),
            key: "EC_prime256v1".into(),
            zone: Some("example.com".into()),
        }
    }

    fn variants() -> Vec<Self> {
        Vec::new()
    }

    async fn survey(cx: &Survey<'_>) -> Result<Vec<Found<Self>>, OpError> {
        let (arns, zones) = try_join(list(cx.aws), common::zones_once(cx)).await?;
        let zones = &zones;
        let found = arns.into_iter().map(|arn| async move {
            let Some(tags) = cx.tags(&arn, tags_of(cx.aws, &arn)).await? else { return Ok(None) };
            // It does not have a name, so only its tags show the owner.
            let Some(address) = cx.aws.scope.owned(&tags) else { return Ok(None) };
            let live = describe(cx.aws, &arn, tags, zones).await?;
            Ok(live.map(|live| Found { address, owner: Owner::Ours, live }))
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn read(cx: &Cx<'_>) -> Result<Option<Live<Self>>, OpError> {
        let both = try_join(tags_of(cx.aws, cx.id()), common::zones(cx.aws)).await?;
        let (Some(tags), zones) = both else { return Ok(None) };
        describe(cx.aws, cx.id(), tags, &zones).await
    }

    async fn create(&self, cx: &Cx<'_>) -> Result<String, OpError> {
        let names: Vec<String> = self.names.iter().cloned().collect();
        let call = cx
            .aws
            .acm
            .request_certificate()
            .domain_name(&self.domain)
            .set_subject_alternative_names((!names.is_empty()).then_some(names))
            .validation_method(ValidationMethod::Dns)
            .key_algorithm(KeyAlgorithm::from(self.key.as_str()))
            .set_tags(Some(to_tags(cx.tags)));
        let made = call.send().await.map_err(op("RequestCertificate"))?;
        made.certificate_arn.ok_or_else(|| {
            let message = "AWS did not return the ARN of the certificate";
            OpError::new("RequestCertificate", ErrorClass::Service, "NoArn", message)
        })
    }

    /// Writes the records that are missing.
    async fn update(&self, cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let Some(name) = &self.zone else { return Ok(()) };
        let both = try_join(detail(cx.aws, &live.id), common::zones(cx.aws)).await?;
        let (Some(detail), zones) = both else { return Ok(()) };
        let zone = common::meant(&zones, name, cx.aws.zone_ids.get(name));
        let zone = zone.ok_or_else(|| common::no_zone(&self.domain))?;
        let Some(proofs) = proofs(&detail) else {
            let message = "ACM does not tell the records yet";
            let class = ErrorClass::NotYet;
            return Err(OpError::new("DescribeCertificate", class, "NoRecords", message));
        };
        for (name, value) in missing(cx.aws, zone, proofs).await? {
            let set = common::with_values(&name, RrType::Cname, TTL, [value]);
            common::change(cx.aws, &zone.id, [(ChangeAction::Create, set)]).await?;
        }
        Ok(())
    }

    async fn tag(cx: &Cx<'_>, live: &Live<Self>, set: &Tags) -> Result<(), OpError> {
        let call = cx.aws.acm.add_tags_to_certificate().certificate_arn(&live.id);
        let send = call.set_tags(Some(to_tags(set))).send();
        send.await.map_err(op("AddTagsToCertificate")).map(drop)
    }

    async fn untag(cx: &Cx<'_>, live: &Live<Self>, unset: &[String]) -> Result<(), OpError> {
        let tag = |key: &String| Tag::builder().key(key).build().expect("a tag with a key");
        let call = cx.aws.acm.remove_tags_from_certificate().certificate_arn(&live.id);
        let send = call.set_tags(Some(unset.iter().map(tag).collect())).send();
        send.await.map_err(op("RemoveTagsFromCertificate")).map(drop)
    }

    /// The records stay: other certificates of the account may need them.
    async fn delete(cx: &Cx<'_>, live: &Live<Self>) -> Result<(), OpError> {
        let send = cx.aws.acm.delete_certificate().certificate_arn(&live.id).send();
        send.await.map_err(op("DeleteCertificate")).or_gone().map(drop)
    }
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| {
        Tag::builder().key(key).value(value).build().expect("a tag with a key")
    };
    tags.iter().map(tag).collect()
}

/// The ARNs of the certificates that ACM issues in the region.
async fn list(aws: &Aws) -> Result<Vec<String>, OpError> {
    let all = Filters::builder().set_key_types(Some(KEYS.to_vec())).build();
    let pages = aws.acm.list_certificates().includes(all).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(op("ListCertificates"))?;
    let issued = all.into_iter().filter(|one| {
        one.r#type.as_ref().is_none_or(|kind| *kind == CertificateType::AmazonIssued)
    });
    Ok(issued.filter_map(|one| one.certificate_arn).collect())
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>, OpError> {
    let send = aws.acm.list_tags_for_certificate().certificate_arn(arn).send();
    let answer = send.await.map_err(op("ListTagsForCertificate")).or_gone()?;
    let pair = |tag: Tag| (tag.key, tag.value.unwrap_or_default());
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

async fn detail(aws: &Aws, arn: &str) -> Result<Option<CertificateDetail>, OpError> {
    let send = aws.acm.describe_certificate().certificate_arn(arn).send();
    let answer = send.await.map_err(op("DescribeCertificate")).or_gone()?;
    Ok(answer.and_then(|answer| answer.certificate))
}

async fn describe(
    aws: &Aws,
    arn: &str,
    tags: Tags,
    zones: &[Zone],
) -> Result<Option<Live<Certificate>>, OpError> {
    let Some(detail) = detail(aws, arn).await? else { return Ok(None) };
    let domain = detail.domain_name().unwrap_or_default().to_owned();
    let proofs = proofs(&detail);
    let zone = common::zone_for(aws, zones, domain.trim_start_matches("*."));
    let left = match (zone, &proofs) {
        (Some(zone), Some(proofs)) => missing(aws, zone, proofs.clone()).await?,
        (_, proofs) => proofs.clone().unwrap_or_default(),
    };
    let is_proven = proofs.is_some() && left.is_empty();
    let mut names: BTreeSet<String> = detail.subject_alternative_names().iter().cloned().collect();
    names.remove(&domain);
    let spec = Certificate {
        domain,
        names,
        key: detail.key_algorithm.as_ref().map_or("", |key| key.as_str()).replacen('-', "_", 1),
        zone: zone.filter(|_| is_proven).map(|zone| zone.name.clone()),
    };
    let outputs = Outputs::from([(Output::Arn, arn.to_owned()), (Output::Id, arn.to_owned())]);
    Ok(Some(Live { id: arn.to_owned(), spec, outputs, tags, phase: phase(&detail, &left) }))
}

/// The name and the value of each record that proves a name, once ACM tells all of them. A wildcard
/// has the record of its domain.
fn proofs(detail: &CertificateDetail) -> Option<BTreeMap<String, String>> {
    let all = detail.domain_validation_options();
    let told = all.iter().map(|one| {
        let record = one.resource_record()?;
        Some((common::plain(&record.name), record.value.clone()))
    });
    told.collect::<Option<_>>().filter(|_| !all.is_empty())
}

/// The records that a zone lacks.
async fn missing(
    aws: &Aws,
    zone: &Zone,
    proofs: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, OpError> {
    let left = proofs.into_iter().map(|(name, value)| async move {
        let sets = common::records_of(aws, zone, &name).await?;
        let is_it = |found: &str| common::plain(found) == common::plain(&value);
        let is_there =
            sets.iter().any(|set| set.r#type == RrType::Cname && common::values(set).any(is_it));
        Ok::<_, OpError>((!is_there).then_some((name, value)))
    });
    Ok(try_join_all(left).await?.into_iter().flatten().collect())
}

/// Where it stands; while it waits for records, with these.
fn phase(detail: &CertificateDetail, left: &BTreeMap<String, String>) -> Phase {
    let status = detail.status.as_ref();
    let word = status.map_or("", CertificateStatus::as_str).to_owned();
    match status {
        Some(CertificateStatus::PendingValidation) if left.is_empty() => Phase::Pending(word),
        Some(CertificateStatus::PendingValidation) => {
            let each = left.iter().map(|(name, value)| format!("{name} CNAME {value}"));
            let all = each.collect::<Vec<_>>().join(", ");
            Phase::Pending(format!("{word}: ACM waits for the records {all}"))
        }
        Some(CertificateStatus::Issued) | None => Phase::Ready,
        Some(_) => {
            let reason = detail.failure_reason.as_ref();
            let reason = reason.map(|reason| format!(": {}", reason.as_str()));
            Phase::Failed(format!("{word}{}", reason.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_acm::types::{DomainValidation, FailureReason, RecordType, ResourceRecord};

    use super::*;

    fn option(domain: &str, record: Option<&str>) -> DomainValidation {
        let record = record.map(|name| {
            let record = ResourceRecord::builder().name(name).r#type(RecordType::Cname);
            record.value("_v.acm-validations.aws.").build().unwrap()
        });
        DomainValidation::builder().domain_name(domain).set_resource_record(record).build().unwrap()
    }

    #[test]
    fn a_wildcard_and_its_domain_have_one_record() {
        let detail = CertificateDetail::builder()
            .domain_validation_options(option("a.org", Some("_x.a.org.")))
            .domain_validation_options(option("*.a.org", Some("_x.a.org.")));
        let found = proofs(&detail.build()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["_x.a.org"]);
        let early = CertificateDetail::builder()
            .domain_validation_options(option("a.org", Some("_x.a.org.")))
            .domain_validation_options(option("b.a.org", None));
        assert_eq!(proofs(&early.build()), None);
        assert_eq!(proofs(&CertificateDetail::builder().build()), None);
    }

    #[test]
    fn a_status_tells_the_records_that_are_missing() {
        let of = |status: CertificateStatus| CertificateDetail::builder().status(status);
        let left = BTreeMap::from([("_x.a.org".to_owned(), "_v.acm-validations.aws.".to_owned())]);
        let pending = of(CertificateStatus::PendingValidation).build();
        let text = "PENDING_VALIDATION: ACM waits for the records _x.a.org CNAME \
                    _v.acm-validations.aws.";
        assert_eq!(phase(&pending, &left), Phase::Pending(text.into()));
        let waiting = Phase::Pending("PENDING_VALIDATION".into());
        assert_eq!(phase(&pending, &BTreeMap::new()), waiting);
        assert_eq!(phase(&of(CertificateStatus::Issued).build(), &left), Phase::Ready);
        let failed = of(CertificateStatus::Failed).failure_reason(FailureReason::CaaError);
        let failed = phase(&failed.build(), &left);
        assert_eq!(failed, Phase::Failed("FAILED: CAA_ERROR".into()));
    }
}
