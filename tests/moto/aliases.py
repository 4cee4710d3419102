"""What moto's aliases lack: a policy of their own."""

from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse


def policy_of(backend, function, qualifier):
    latest = backend.get_function(function)
    aliases = {alias.name: alias for alias in backend.list_aliases(function)}
    if qualifier in aliases:
        return aliases[qualifier].__dict__.setdefault("policy", Policy(latest))
    return backend.get_function(function, qualifier).policy


def add_permission(backend, function, qualifier, raw):
    return policy_of(backend, function, qualifier).add_statement(raw, qualifier)[0]


def get_policy(backend, function, qualifier=None):
    return policy_of(backend, function, qualifier).wire_format()


def remove_permission(response):
    parts = response.path.split("?")[0].split("/")
    qualifier = response.querystring.get("Qualifier", [None])[0]
    policy = policy_of(response.backend, unquote(parts[-3]), qualifier)
    policy.del_statement(unquote(parts[-1]))
    return 204, {"status": 204}, "{}"


LambdaBackend.add_permission = add_permission
LambdaBackend.get_policy = get_policy
LambdaResponse.remove_permission = remove_permission
