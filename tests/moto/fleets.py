"""What moto lacks of instances, launch templates and Auto Scaling groups."""

from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses.instances import InstanceResponse

# It keeps the tags that a launch template was made with; AWS shows those that it has now.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, tags: None)


def user_data(version):
    """What an instance runs at first; of later versions moto keeps a bare text and stumbles over it."""
    kept = version.data.get("UserData")
    return Base64EncodedString(kept) if isinstance(kept, str) else kept


LaunchTemplateVersion.user_data = property(user_data)

validate = InstanceResponse._validate_block_device_mapping


def sized(mapping):
    """AWS takes the size of the root disk from the image, where the request does not say it."""
    disk = mapping.get("Ebs", {})
    if disk and not disk.get("SnapshotId"):
        disk.setdefault("VolumeSize", 8)
    validate(mapping)


InstanceResponse._validate_block_device_mapping = staticmethod(sized)

METRICS = [
    f"Group{name}"
    for name in (
        "MinSize",
        "MaxSize",
        "DesiredCapacity",
        "InServiceInstances",
        "PendingInstances",
        "StandbyInstances",
        "TerminatingInstances",
        "TotalInstances",
    )
]


def group_of(response):
    name = response._get_param("AutoScalingGroupName")
    return response.autoscaling_backend.autoscaling_groups[name]


def enable_metrics_collection(response):
    group = group_of(response)
    named = response._get_param("Metrics") or METRICS
    group.metrics = [metric for metric in METRICS if metric in [*group.metrics, *named]]
    return EmptyResult()


def disable_metrics_collection(response):
    group = group_of(response)
    named = response._get_param("Metrics") or METRICS
    group.metrics = [metric for metric in group.metrics if metric not in named]
    return EmptyResult()


def with_warmup(answer):
    def answer_with_warmup(response):
        answered = answer(response)
        warmup = response._get_int_param("DefaultInstanceWarmup")
        if warmup is not None:
            group_of(response).default_instance_warmup = None if warmup == -1 else warmup
        return answered

    return answer_with_warmup


FakeAutoScalingGroup.default_instance_warmup = None
Response = AutoScalingResponse
Response.enable_metrics_collection = enable_metrics_collection
Response.disable_metrics_collection = disable_metrics_collection
Response.create_auto_scaling_group = with_warmup(Response.create_auto_scaling_group)
Response.update_auto_scaling_group = with_warmup(Response.update_auto_scaling_group)
