//! Conversions between the spec and the API.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    Action as AwsAction, ActionTypeEnum, Certificate, FixedResponseActionConfig,
    ForwardActionConfig, Listener as AwsListener, RedirectActionConfig,
    TargetGroupStickinessConfig, TargetGroupTuple,
};

use super::{Action, Forward, Listener, Redirect, Respond, Share};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs, Text};

/// A listener as it is.
pub(super) fn to_live(one: AwsListener, others: BTreeSet<Text>, tags: Tags) -> Live<Listener> {
    let is_secure = is_secure(&one);
    let id = one.listener_arn.unwrap_or_default();
    let protocol = one.protocol.map(|it| it.as_str().to_owned()).unwrap_or_default();
    let certificate = one.certificates.unwrap_or_default().into_iter().next();
    let certificate = certificate.and_then(|one| one.certificate_arn).map(Text::from);
    let action = one.default_actions.unwrap_or_default().into_iter().next();
    let spec = Listener {
        load_balancer: one.load_balancer_arn.unwrap_or_default().into(),
        port: one.port.and_then(|port| port.try_into().ok()).unwrap_or_default(),
        certificate: certificate.filter(|_| is_secure),
        other_certificates: is_secure.then_some(others),
        tls_policy: one.ssl_policy.filter(|policy| is_secure && !policy.is_empty()),
        action: action.map_or_else(|| Action::Other("none".into()), Action::from_aws),
        protocol,
        moved_by: None,
    };
    let outputs = Outputs::from([(Output::Arn, id.clone()), (Output::Id, id.clone())]);
    Live { spec, outputs, tags, phase: Phase::Ready, id }
}

/// Whether clients speak TLS with it.
pub(super) fn is_secure(one: &AwsListener) -> bool {
    one.protocol.as_ref().is_some_and(|protocol| ["HTTPS", "TLS"].contains(&protocol.as_str()))
}

impl Listener {
    pub(super) fn certificates(&self) -> Option<Vec<Certificate>> {
        let arn = self.certificate.as_ref()?.known();
        Some(vec![Certificate::builder().certificate_arn(arn).build()])
    }
}

impl Action {
    pub(in crate::aws) fn to_aws(&self) -> AwsAction {
        let action = AwsAction::builder();
        match self {
            Self::Forward(forward) => {
                let action = action.r#type(ActionTypeEnum::Forward);
                match forward.targets.first().filter(|_| forward.targets.len() == 1) {
                    Some(only) => action.target_group_arn(only.group.known()),
                    None => action.forward_config(forward.to_aws()),
                }
            }
            Self::Redirect(to) => {
                let config = RedirectActionConfig::builder()
                    .protocol(&to.protocol)
                    .port(&to.port)
                    .host(&to.host)
                    .path(&to.path)
                    .query(&to.query)
                    .status_code(format!("HTTP_{}", to.status).as_str().into());
                action.r#type(ActionTypeEnum::Redirect).redirect_config(config.build())
            }
            Self::Respond(answer) => {
                let config = FixedResponseActionConfig::builder()
                    .status_code(answer.status.to_string())
                    .content_type(&answer.content_type)
                    .message_body(&answer.body);
                action.r#type(ActionTypeEnum::FixedResponse).fixed_response_config(config.build())
            }
            Self::Other(name) => action.r#type(name.as_str().into()),
        }
        .build()
    }

    pub(in crate::aws) fn from_aws(action: AwsAction) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        let kind = action.r#type.as_ref().map_or("none", ActionTypeEnum::as_str).to_owned();
        match (action.redirect_config, action.fixed_response_config) {
            (Some(to), _) if kind == "redirect" => {
                let status = to.status_code.map(|code| code.as_str().to_owned());
                let status = status.and_then(|code| code.strip_prefix("HTTP_")?.parse().ok());
                Self::Redirect(Redirect {
                    protocol: text(to.protocol),
                    port: text(to.port),
                    host: text(to.host),
                    path: text(to.path),
                    query: text(to.query),
                    status: status.unwrap_or_default(),
                })
            }
            (_, Some(answer)) if kind == "fixed-response" => Self::Respond(Respond {
                status: text(answer.status_code).parse().unwrap_or_default(),
                content_type: text(answer.content_type),
                body: text(answer.message_body),
            }),
            _ if kind == "forward" => {
                Self::Forward(Forward::from_aws(action.forward_config, action.target_group_arn))
            }
            _ => Self::Other(kind),
        }
    }
}

impl Forward {
    fn to_aws(&self) -> ForwardActionConfig {
        let shares = self.targets.iter().map(|share| {
            let tuple = TargetGroupTuple::builder().target_group_arn(share.group.known());
            tuple.weight(share.weight.into()).build()
        });
        let stickiness = TargetGroupStickinessConfig::builder()
            .enabled(self.sticky_seconds.is_some())
            .set_duration_seconds(self.sticky_seconds.and_then(|seconds| seconds.try_into().ok()));
        ForwardActionConfig::builder()
            .set_target_groups(Some(shares.collect()))
            .target_group_stickiness_config(stickiness.build())
            .build()
    }

    fn from_aws(config: Option<ForwardActionConfig>, single: Option<String>) -> Self {
        let (groups, stickiness) = config
            .map(|config| (config.target_groups, config.target_group_stickiness_config))
            .unwrap_or_default();
        let mut shares: Vec<Share> = groups
            .unwrap_or_default()
            .into_iter()
            .map(|tuple| Share {
                group: tuple.target_group_arn.unwrap_or_default().into(),
                weight: tuple.weight.and_then(|it| it.try_into().ok()).unwrap_or(1),
            })
            .collect();
        if shares.is_empty() {
            shares.extend(single.map(|arn| Share { group: arn.into(), weight: 1 }));
        }
        if let [only] = &mut shares[..] {
            only.weight = 1;
        }
        let sticky = stickiness.filter(|sticky| sticky.enabled == Some(true));
        let seconds = sticky.and_then(|sticky| sticky.duration_seconds?.try_into().ok());
        let several = shares.len() > 1;
        Self { targets: shares.into_iter().collect(), sticky_seconds: seconds.filter(|_| several) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::resource::Resource as _;

    fn forward(shares: &[(&str, u16)], sticky_seconds: Option<u32>) -> Action {
        let share =
            |(group, weight): &(&str, u16)| Share { group: (*group).into(), weight: *weight };
        Action::Forward(Forward { targets: shares.iter().map(share).collect(), sticky_seconds })
    }

    #[test]
    fn actions_survive_the_round_trip() {
        let weighted = forward(&[("arn:blue", 90), ("arn:green", 10)], None);
        let sticky = forward(&[("arn:blue", 100), ("arn:green", 0)], Some(60));
        let single = forward(&[("arn:blue", 1)], None);
        let others = Listener::variants().into_iter().map(|one| one.action);
        let others = others.filter(|action| !matches!(action, Action::Forward(_)));
        for action in [weighted, sticky, single].into_iter().chain(others) {
            assert_eq!(Action::from_aws(action.to_aws()), action);
        }
    }

    #[test]
    fn the_weight_of_a_single_group_means_nothing() {
        let tuple = TargetGroupTuple::builder().target_group_arn("arn:blue").weight(100).build();
        let config = ForwardActionConfig::builder().target_groups(tuple).build();
        let read = Forward::from_aws(Some(config), Some("arn:blue".into()));
        assert_eq!(Action::Forward(read), forward(&[("arn:blue", 1)], None));
    }

    #[test]
    fn an_unencrypted_listener_has_no_certificate() {
        let one = AwsListener::builder().protocol("HTTP".into()).ssl_policy("").build();
        let read = to_live(one, BTreeSet::new(), Tags::new()).spec;
        assert_eq!((read.certificate, read.tls_policy), (None, None));
        assert_eq!(read.other_certificates, None);
    }
}
