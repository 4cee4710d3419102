"""What moto's API Gateway lacks: tags of everything but stages, some patches, security policies, VPC
links of integrations. Each part does what AWS does, and no more."""

import json
from urllib.parse import unquote

from moto.apigateway import models, urls
from moto.apigateway.responses import APIGatewayResponse


def unescape(step):
    return step.replace("~1", "/").replace("~0", "~")


def holder(response):
    """The object that a tag operation is about, by the path of its ARN."""
    path = unquote(response.path.split("/tags/", 1)[1]).split("::/", 1)[1].split("/")
    backend = response.backend
    if path[0] == "restapis" and len(path) == 4:
        return backend.get_stage(path[1], path[3])
    if path[0] == "restapis":
        return backend.get_rest_api(path[1])
    if path[0] == "domainnames":
        return backend.get_domain_name(path[1])
    if path[0] == "usageplans":
        return backend.get_usage_plan(path[1])
    return backend.get_api_key(path[1])


def get_tags(self):
    return json.dumps({"tags": holder(self).tags or {}})


def tag_resource(self):
    found = holder(self)
    found.tags = {**(found.tags or {}), **self._get_param("tags")}
    return "{}"


def untag_resource(self):
    found = holder(self)
    keys = self.querystring.get("tagKeys") or []
    found.tags = {key: value for key, value in (found.tags or {}).items() if key not in keys}
    return "{}"


def patch_api(self, operations):
    for operation in operations:
        path, value = operation["path"], operation.get("value")
        steps = [unescape(step) for step in path.split("/")[1:]]
        if path in ("/name", "/description"):
            setattr(self, steps[0], value)
        elif path == "/apiKeySource":
            self.api_key_source = value
        elif path == "/policy":
            self.policy = value or None
        elif path in ("/securityPolicy", "/endpointAccessMode"):
            self.tls = {**getattr(self, "tls", {}), steps[0]: value}
        elif path == "/minimumCompressionSize":
            self.minimum_compression_size = None if value is None else int(value)
        elif steps[0] == "endpointConfiguration":
            self.endpoint_configuration = {"types": [value]}
        elif steps[0] == "binaryMediaTypes" and operation["op"] == "add":
            self.binaryMediaTypes.append(steps[1])
        elif steps[0] == "binaryMediaTypes":
            self.binaryMediaTypes.remove(steps[1])
        else:
            raise ValueError(path)


create_api_as_before = APIGatewayResponse.create_rest_api
api_as_before = models.RestAPI.to_dict


def create_api(self):
    status, headers, body = create_api_as_before(self)
    api = self.backend.get_rest_api(json.loads(body)["id"])
    wanted = {key: self._get_param(key) for key in ("securityPolicy", "endpointAccessMode")}
    api.tls = {key: value for key, value in wanted.items() if value}
    return status, headers, json.dumps(api.to_dict())


def api_to_dict(self):
    return {**api_as_before(self), "securityPolicy": "TLS_1_0", **getattr(self, "tls", {})}


patch_stage_as_before = models.Stage.apply_operations


def patch_stage(self, operations):
    settings = [op for op in operations if op["op"] == "remove" and op["path"].count("/") == 2]
    gone = [op for op in settings if not op["path"].startswith("/variables/")]
    for operation in gone:
        self.method_settings.pop(operation["path"][1:], None)
    return patch_stage_as_before(self, [op for op in operations if op not in gone])


def update_model(self):
    parts = self.path.split("/")
    model = self.backend.get_model(parts[2], parts[4])
    for operation in self._get_param("patchOperations"):
        setattr(model, operation["path"][1:], operation["value"])
    return json.dumps(model.to_json())


put_integration_as_before = APIGatewayResponse.put_integration
integration_as_before = models.Integration.to_json


def put_integration(self):
    answer = put_integration_as_before(self)
    parts = self.path.split("/")
    integration = self.backend.get_method(parts[2], parts[4], parts[6]).method_integration
    integration.connection_id = self._get_param("connectionId")
    integration.integration_target = self._get_param("integrationTarget")
    return answer


def integration_to_json(self):
    view = integration_as_before(self)
    view["connectionId"] = getattr(self, "connection_id", None)
    view["integrationTarget"] = getattr(self, "integration_target", None)
    return view


def delete_resource(self, function_id, resource_id):
    resources = self.get_rest_api(function_id).resources
    for child in [one.id for one in resources.values() if one.parent_id == resource_id]:
        self.delete_resource(function_id, child)
    return resources.pop(resource_id)


patch_plan_as_before = models.UsagePlan.apply_patch_operations


def patch_plan(self, operations):
    patch_plan_as_before(self, operations)
    if "limit" in self.quota:
        self.quota["limit"] = int(self.quota["limit"])


patch_authorizer_as_before = models.Authorizer.apply_operations


def patch_authorizer(self, operations):
    for operation in operations:
        if operation["path"] != "/providerARNs":
            patch_authorizer_as_before(self, [operation])
        elif operation["op"] == "add":
            self.provider_arns = [*self.provider_arns, operation["value"]]
        else:
            self.provider_arns = [arn for arn in self.provider_arns if arn != operation["value"]]
    return self


TAGS = (
    "{0}/tags/arn:(?P<partition>[^/]+):apigateway:(?P<region_name>[^/]+)::/"
    "(?P<kind>restapis|usageplans|apikeys)/(?P<function_id>[^/]+)$"
)


def complete():
    """Puts all of it in place."""
    urls.url_paths[TAGS] = APIGatewayResponse.dispatch
    APIGatewayResponse.get_tags = get_tags
    APIGatewayResponse.tag_resource = tag_resource
    APIGatewayResponse.untag_resource = untag_resource
    APIGatewayResponse.update_model = update_model
    APIGatewayResponse.put_integration = put_integration
    models.Integration.to_json = integration_to_json
    APIGatewayResponse.create_rest_api = create_api
    models.RestAPI.apply_patch_operations = patch_api
    models.RestAPI.to_dict = api_to_dict
    models.Authorizer.apply_operations = patch_authorizer
    models.Stage.apply_operations = patch_stage
    models.UsagePlan.apply_patch_operations = patch_plan
    models.APIGatewayBackend.delete_resource = delete_resource
