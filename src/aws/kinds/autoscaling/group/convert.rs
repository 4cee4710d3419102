//! Conversions between the spec and the API.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{
    AutoScalingGroup, CustomizedMetricSpecification, Instance, MetricDimension,
    PredefinedMetricSpecification, ScalingPolicy, TargetTrackingConfiguration,
};

use super::{Custom, Group, Metric, Policy};
use payctl_engine::model::live::{Live, Phase, Tags};
use payctl_engine::model::text::{Output, Outputs, Text};

/// The tags of a group.
pub(in crate::aws::kinds::autoscaling) fn tags_of(one: &AutoScalingGroup) -> Tags {
    let pairs = one.tags().iter().filter_map(|tag| {
        Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
    });
    pairs.collect()
}

/// A group as it is; whether its instances serve is left to the caller.
pub(super) fn to_live(one: AutoScalingGroup, policies: Vec<ScalingPolicy>) -> Live<Group> {
    let tags = tags_of(&one);
    let outdated = u32::try_from(count_outdated(&one)).unwrap_or(u32::MAX);
    let count = |number: Option<i32>| number.and_then(|it| it.try_into().ok()).unwrap_or_default();
    let texts = |ids: Vec<String>| ids.into_iter().map(Text::from).collect();
    let name = one.auto_scaling_group_name.unwrap_or_default();
    let zones = one.vpc_zone_identifier.unwrap_or_default();
    let template = one.launch_template;
    let (template, version) =
        template.map(|it| (it.launch_template_id, it.version)).unwrap_or_default();
    let policies = policies
        .into_iter()
        .map(|policy| (policy.policy_name.clone().unwrap_or_default(), Policy::from_aws(policy)));
    let spec = Group {
        name: name.clone(),
        min: count(one.min_size),
        max: count(one.max_size),
        desired: Some(count(one.desired_capacity)),
        initial: None,
        subnets: zones.split(',').filter(|id| !id.is_empty()).map(Text::from).collect(),
        template: template.unwrap_or_default().into(),
        template_version: version.unwrap_or_default().into(),
        target_groups: texts(one.target_group_arns.unwrap_or_default()),
        health_check: one.health_check_type.unwrap_or_default(),
        grace: count(one.health_check_grace_period),
        // A negative number means none.
        warmup: one.default_instance_warmup.and_then(|it| it.try_into().ok()),
        policies: policies.collect(),
        metrics: one.enabled_metrics.is_some_and(|metrics| !metrics.is_empty()),
        outdated: Some(outdated),
    };
    let arn = one.auto_scaling_group_arn.unwrap_or_default();
    let outputs = [(Output::Arn, arn), (Output::Id, name.clone()), (Output::Name, name.clone())];
    // A group has a status only while it is being deleted.
    let phase = one.status.filter(|status| !status.is_empty());
    let phase = phase.map_or(Phase::Ready, Phase::Deleting);
    Live { id: name, spec, outputs: Outputs::from(outputs), tags, phase }
}

/// How many of its instances were launched from another version of its template.
fn count_outdated(one: &AutoScalingGroup) -> usize {
    let version = one.launch_template().and_then(|template| template.version());
    let of_another = |instance: &&Instance| {
        instance.launch_template().is_some_and(|template| template.version() != version)
            && !instance
                .lifecycle_state()
                .is_some_and(|state| state.as_str().starts_with("Terminat"))
    };
    one.instances().iter().filter(of_another).count()
}

impl Policy {
    pub(super) fn to_aws(&self) -> TargetTrackingConfiguration {
        let config = TargetTrackingConfiguration::builder();
        let config = config.target_value(self.target).disable_scale_in(!self.scale_in);
        match &self.metric {
            Metric::Predefined(name) | Metric::Other(name) => {
                let metric = PredefinedMetricSpecification::builder();
                let metric = metric.predefined_metric_type(name.as_str().into()).build();
                config.predefined_metric_specification(metric).build()
            }
            Metric::Custom(custom) => {
                let dimensions = custom.dimensions.iter().map(|(name, value)| {
                    MetricDimension::builder().name(name).value(value).build()
                });
                let metric = CustomizedMetricSpecification::builder()
                    .namespace(&custom.namespace)
                    .metric_name(&custom.name)
                    .set_dimensions(Some(dimensions.collect()))
                    .statistic(custom.statistic.as_str().into());
                config.customized_metric_specification(metric.build()).build()
            }
        }
    }

    pub(super) fn from_aws(policy: ScalingPolicy) -> Self {
        let other = Metric::Other(policy.policy_type.unwrap_or_default());
        let Some(config) = policy.target_tracking_configuration else {
            return Self { metric: other, target: 0.0, scale_in: true };
        };
        let predefined = config.predefined_metric_specification;
        let predefined = predefined.and_then(|metric| metric.predefined_metric_type);
        let metric = match (predefined, config.customized_metric_specification) {
            (Some(name), _) => Metric::Predefined(name.as_str().to_owned()),
            (None, Some(custom)) => Metric::Custom(custom_metric(custom)),
            (None, None) => other,
        };
        Self {
            metric,
            target: config.target_value.unwrap_or_default(),
            scale_in: !config.disable_scale_in.unwrap_or_default(),
        }
    }
}

fn custom_metric(custom: CustomizedMetricSpecification) -> Custom {
    let dimensions = custom.dimensions.unwrap_or_default().into_iter();
    let dimensions = dimensions.filter_map(|one| Some((one.name?, one.value?)));
    Custom {
        namespace: custom.namespace.unwrap_or_default(),
        name: custom.metric_name.unwrap_or_default(),
        dimensions: dimensions.collect::<BTreeMap<_, _>>(),
        statistic: custom.statistic.map(|it| it.as_str().to_owned()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::TagDescription;

    use super::super::{missing, to_tag};
    use super::*;
    use crate::aws::resource::Resource as _;

    #[test]
    fn policies_survive_the_round_trip() {
        for (name, policy) in Group::variants().into_iter().flat_map(|group| group.policies) {
            let read = ScalingPolicy::builder()
                .policy_name(name)
                .target_tracking_configuration(policy.to_aws())
                .build();
            assert_eq!(Policy::from_aws(read), policy);
        }
        let step = ScalingPolicy::builder().policy_type("StepScaling").build();
        assert_eq!(Policy::from_aws(step).metric, Metric::Other("StepScaling".into()));
    }

    #[test]
    fn a_group_being_deleted_is_recognised() {
        let one = AutoScalingGroup::builder().status("Delete in progress").build();
        assert_eq!(to_live(one, Vec::new()).phase, Phase::Deleting("Delete in progress".into()));
        let one = AutoScalingGroup::builder().default_instance_warmup(-1).build();
        let read = to_live(one, Vec::new());
        assert_eq!((read.phase, read.spec.warmup), (Phase::Ready, None));
    }

    #[test]
    fn missing_instances_are_counted() {
        let group = AutoScalingGroup::builder().desired_capacity(2).build();
        assert_eq!(missing(&group).as_deref(), Some("0 of 2 instances in service"));
        assert_eq!(missing(&AutoScalingGroup::builder().build()), None);
    }

    #[test]
    fn instances_never_claim_to_be_the_group() {
        let tag = |key: &str| to_tag("g", (&key.to_owned(), &"x".to_owned())).propagate_at_launch;
        assert_eq!((tag("payctl:address"), tag("Team")), (Some(false), Some(true)));
        let tag = TagDescription::builder().key("Team").build();
        let read = tags_of(&AutoScalingGroup::builder().tags(tag).build());
        assert_eq!(read, Tags::from([("Team".to_owned(), String::new())]));
    }
}
