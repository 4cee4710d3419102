//! Conversions between the spec and the API.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::NetworkInterface;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as AwsLoadBalancer, LoadBalancerStateEnum,
};

use super::{AccessLog, LoadBalancer};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs, Text};

pub(super) const PROTECTION: &str = "deletion_protection.enabled";
const IDLE: &str = "idle_timeout.timeout_seconds";
const HTTP2: &str = "routing.http2.enabled";
const DROP_INVALID: &str = "routing.http.drop_invalid_header_fields.enabled";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const LOG: &str = "access_logs.s3.enabled";
const LOG_BUCKET: &str = "access_logs.s3.bucket";
const LOG_PREFIX: &str = "access_logs.s3.prefix";

/// The part of an ARN that metrics and interfaces know it by: `app/NAME/ID`.
pub(super) fn metric(arn: &str) -> &str {
    arn.split_once(":loadbalancer/").map_or(arn, |(_, metric)| metric)
}

/// A deleted load balancer that still has interfaces.
pub(super) fn going(arn: &str, interfaces: Vec<NetworkInterface>) -> Option<Live<LoadBalancer>> {
    let left = interfaces.len();
    let subnets = interfaces.iter().filter_map(|one| one.subnet_id()).map(Text::from).collect();
    let (kind, rest) = metric(arn).split_once('/').unwrap_or_default();
    (left > 0).then(|| Live {
        id: arn.to_owned(),
        spec: LoadBalancer {
            name: rest.split('/').next().unwrap_or_default().to_owned(),
            kind: if kind == "net" { "network" } else { "application" }.to_owned(),
            scheme: String::new(),
            subnets,
            groups: BTreeSet::new(),
            deletion_protection: false,
            idle_timeout: None,
            http2: None,
            drop_invalid_headers: None,
            cross_zone: None,
            access_log: None,
        },
        outputs: Outputs::new(),
        tags: Tags::new(),
        phase: Phase::Deleting(format!("{left} network interfaces remain")),
    })
}

/// A load balancer as it is.
pub(super) fn to_live(
    one: AwsLoadBalancer,
    attributes: &BTreeMap<String, String>,
    tags: Tags,
) -> Live<LoadBalancer> {
    let phase = phase_of(&one);
    let id = one.load_balancer_arn.unwrap_or_default();
    let name = one.load_balancer_name.unwrap_or_default();
    let zones = one.availability_zones.unwrap_or_default();
    let text = |key: &str| attributes.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let flag = |key: &str| text(key).map(|text| text == "true");
    let log = text(LOG_BUCKET).filter(|_| flag(LOG) == Some(true)).map(|bucket| AccessLog {
        bucket: bucket.into(),
        prefix: text(LOG_PREFIX).unwrap_or_default().to_owned(),
    });
    let kind = one.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
    let spec = LoadBalancer {
        scheme: one.scheme.map(|scheme| scheme.as_str().to_owned()).unwrap_or_default(),
        subnets: zones.into_iter().filter_map(|zone| zone.subnet_id).map(Text::from).collect(),
        groups: one.security_groups.unwrap_or_default().into_iter().map(Text::from).collect(),
        deletion_protection: flag(PROTECTION).unwrap_or_default(),
        idle_timeout: text(IDLE).and_then(|seconds| seconds.parse().ok()),
        http2: flag(HTTP2),
        drop_invalid_headers: flag(DROP_INVALID),
        // In application load balancers it is always on and cannot be set.
        cross_zone: flag(CROSS_ZONE).filter(|_| kind != "application"),
        access_log: log,
        name: name.clone(),
        kind,
    };
    let outputs = [
        (Output::Arn, id.clone()),
        (Output::Id, id.clone()),
        (Output::Name, name),
        (Output::Endpoint, one.dns_name.unwrap_or_default()),
        (Output::Metric, metric(&id).to_owned()),
        (Output::ZoneId, one.canonical_hosted_zone_id.unwrap_or_default()),
    ];
    Live { spec, outputs: Outputs::from(outputs), tags, phase, id }
}

fn phase_of(one: &AwsLoadBalancer) -> Phase {
    let state = one.state.as_ref();
    match state.and_then(|state| state.code.as_ref()) {
        None | Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => {
            Phase::Ready
        }
        Some(LoadBalancerStateEnum::Failed) => {
            let reason = state.and_then(|state| state.reason.as_deref());
            Phase::Failed(reason.unwrap_or("AWS gave no reason").to_owned())
        }
        Some(other) => Phase::Pending(other.as_str().to_owned()),
    }
}

impl LoadBalancer {
    /// The attributes that it must have.
    pub(super) fn attributes(&self) -> BTreeMap<&'static str, String> {
        let flags = [
            (PROTECTION, Some(self.deletion_protection)),
            (HTTP2, self.http2),
            (DROP_INVALID, self.drop_invalid_headers),
            (CROSS_ZONE, self.cross_zone),
            (LOG, Some(self.access_log.is_some())),
        ];
        let flags = flags.into_iter().filter_map(|(key, flag)| Some((key, flag?.to_string())));
        let idle = self.idle_timeout.map(|seconds| (IDLE, seconds.to_string()));
        let log = self.access_log.iter().flat_map(|log| {
            [(LOG_BUCKET, log.bucket.known().to_owned()), (LOG_PREFIX, log.prefix.clone())]
        });
        flags.chain(idle).chain(log).collect()
    }
}

/// The attributes that differ. Bucket and prefix of a log stay when it is switched off.
pub(super) fn changes(
    want: &BTreeMap<&'static str, String>,
    live: &BTreeMap<&'static str, String>,
) -> Vec<(&'static str, String)> {
    let differs = |(key, value): &(&&str, &String)| live.get(*key) != Some(*value);
    want.iter().filter(differs).map(|(key, value)| (*key, value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::resource::Resource as _;

    const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/dev-alb/50dc6c49";

    fn resolved(mut spec: LoadBalancer) -> LoadBalancer {
        if let Some(log) = &mut spec.access_log {
            log.bucket = "logs".into();
        }
        (spec.subnets, spec.groups) = (BTreeSet::new(), BTreeSet::new());
        spec
    }

    #[test]
    fn attributes_survive_the_round_trip() {
        for want in LoadBalancer::variants() {
            let want = resolved(want);
            let attributes = want.attributes().into_iter();
            let mut attributes: BTreeMap<String, String> =
                attributes.map(|(key, value)| (key.to_owned(), value)).collect();
            attributes.insert(CROSS_ZONE.into(), "true".into());
            let one = AwsLoadBalancer::builder()
                .load_balancer_name("sample-balancer")
                .r#type("application".into())
                .scheme("internal".into())
                .build();
            assert_eq!(to_live(one, &attributes, Tags::new()).spec, want);
        }
    }

    #[test]
    fn only_differing_attributes_are_sent() {
        let live = resolved(LoadBalancer::sample());
        let want = LoadBalancer { idle_timeout: Some(90), ..live.clone() };
        assert_eq!(changes(&want.attributes(), &live.attributes()), [(IDLE, "90".to_owned())]);
    }

    #[test]
    fn a_load_balancer_is_gone_when_its_interfaces_are() {
        assert_eq!(going(ARN, Vec::new()), None);
        let interface = NetworkInterface::builder().subnet_id("subnet-1").build();
        let left = going(ARN, vec![interface]).unwrap();
        assert_eq!(left.phase, Phase::Deleting("1 network interfaces remain".into()));
        assert_eq!((&*left.spec.name, &*left.spec.kind), ("dev-alb", "application"));
    }

    #[test]
    fn metrics_identify_it_by_the_end_of_its_arn() {
        assert_eq!(metric(ARN), "app/dev-alb/50dc6c49");
    }
}
