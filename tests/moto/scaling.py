"""What moto lacks of Application Auto Scaling: the tags of targets, and that the policies of a target go
with it."""

import json

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend as Scaling
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response

deregister = Scaling.deregister_scalable_target
register = Response.register_scalable_target


def deregister_with_policies(backend, namespace, resource, dimension):
    deregister(backend, namespace, resource, dimension)
    for policy in list(backend.policies.values()):
        if (policy.resource_id, policy.scalable_dimension) == (resource, dimension):
            backend.delete_scaling_policy(policy.policy_name, namespace, resource, dimension)


def tags_of(response, arn):
    targets = response.applicationautoscaling_backend.targets.values()
    found = [target for group in targets for target in group.values() if target.arn == arn]
    return found[0].__dict__.setdefault("tags", {}) if found else {}


def register_with_tags(response):
    answer = register(response)
    tags = tags_of(response, json.loads(answer)["ScalableTargetARN"])
    # As on AWS, they count the first time only.
    tags.update({} if tags else response._get_param("Tags") or {})
    return answer


def tag_resource(response):
    tags_of(response, response._get_param("ResourceARN")).update(response._get_param("Tags"))
    return "{}"


def untag_resource(response):
    tags = tags_of(response, response._get_param("ResourceARN"))
    for key in response._get_param("TagKeys"):
        tags.pop(key, None)
    return "{}"


def list_tags_for_resource(response):
    return json.dumps({"Tags": tags_of(response, response._get_param("ResourceARN"))})


Scaling.deregister_scalable_target = deregister_with_policies
Response.register_scalable_target = register_with_tags
Response.tag_resource = tag_resource
Response.untag_resource = untag_resource
Response.list_tags_for_resource = list_tags_for_resource
