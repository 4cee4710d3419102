"""The sandbox's stand-in for boto3, where there is none: the calls that payctl's functions make.

It asks the sandbox at AWS_ENDPOINT_URL. Requests carry the keys of the function and no signature that
could be checked, because the sandbox checks none.
"""

import base64
import http.client
import json
import os
import re
import types
import urllib.parse
from datetime import datetime, timezone

from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from boto3.dynamodb.conditions import Condition
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

# The services with JSON, their targets and the version of JSON.
JSON = {
    "ce": ("AWSInsightsIndexService", "1.1"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "ecs": ("AmazonEC2ContainerServiceV20141113", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
    "sqs": ("AmazonSQS", "1.0"),
}
# Where SES takes mails. The sandbox sends none, and refuses them.
MAILS = "/v2/email/outbound-emails"
# What is known of each service.
KNOWN = {
    "ce": ["get_anomalies", "get_cost_and_usage", "list_cost_allocation_tags"],
    "dynamodb": [
        "delete_item", "get_item", "put_item", "query", "scan", "transact_write_items", "update_item"
    ],
    "ecs": ["update_service"],
    "s3": ["get_object", "put_object"],
    "secretsmanager": [
        "describe_secret", "get_secret_value", "put_secret_value", "update_secret_version_stage"
    ],
    "sesv2": ["send_email"],
    "sns": ["publish"],
    "sqs": ["send_message"],
}  # fmt: skip


def client(service_name, config=None, region_name=None, endpoint_url=None, **_):
    """A client of a service."""
    return Client(service_name, config or Config(), region_name, endpoint_url)


def resource(service_name, config=None, region_name=None, endpoint_url=None, **_):
    """A resource: of DynamoDB only."""
    if service_name != "dynamodb":
        raise NotImplementedError(missing(f"the resource {service_name}"))
    return Database(config or Config(), region_name, endpoint_url)


def missing(what):
    """Why something does not work."""
    return (
        f"the sandbox's stand-in for boto3 does not know {what}; "
        "install boto3 for the python3 that runs the sandbox's functions"
    )


class Errors:
    """The errors of a client, by their code."""

    ClientError = ClientError

    def __getattr__(self, code):
        if code.startswith("_"):
            raise AttributeError(code)
        made = type(code, (ClientError,), {})
        setattr(self, code, made)
        return made


class Client:
    """The calls of one service."""

    def __init__(self, service, config, region, endpoint):
        if service not in KNOWN:
            raise NotImplementedError(missing(f"the service {service}"))
        self._service, self._config = service, config
        self._region = region or os.environ.get("AWS_REGION", "us-east-1")
        self._endpoint = endpoint or os.environ["AWS_ENDPOINT_URL"]
        self.exceptions = Errors()
        self.meta = types.SimpleNamespace(region_name=self._region, endpoint_url=self._endpoint)

    def __getattr__(self, name):
        if name not in KNOWN[self._service]:
            raise AttributeError(missing(f"{self._service}.{name}"))
        return lambda **given: self._call(name, given)

    def _call(self, name, given):
        operation = "".join(part.capitalize() for part in name.split("_"))
        if self._service == "s3":
            return self._object(operation, **given)
        if self._service == "sns":
            fields = {"Action": operation, "Version": "2010-03-31", **flat(given)}
            kind = "application/x-www-form-urlencoded"
            status, _, body = self._send("POST", "/", kind, urllib.parse.urlencode(fields).encode())
            if status >= 300:
                raise self._error(operation, status, *of_xml(body))
            return {"MessageId": text_in(body, "MessageId")}
        body = json.dumps(encoded(given)).encode()
        if self._service == "sesv2":
            status, _, body = self._send("POST", MAILS, "application/json", body)
        else:
            target, version = JSON[self._service]
            headers = {"X-Amz-Target": f"{target}.{operation}"}
            kind = f"application/x-amz-json-{version}"
            status, _, body = self._send("POST", "/", kind, body, headers)
        answer = json.loads(body or b"{}")
        if status >= 300:
            code = answer.pop("__type", "Unknown").rsplit("#")[-1]
            message = answer.pop("message", answer.pop("Message", ""))
            raise self._error(operation, status, code, message, answer)
        return decoded(answer) if self._service == "dynamodb" else answer

    def _object(self, operation, Bucket, Key, Body=b"", ContentType=None):
        path = f"/{Bucket}/{urllib.parse.quote(Key)}"
        method = "PUT" if operation == "PutObject" else "GET"
        body = Body.encode() if isinstance(Body, str) else bytes(Body)
        status, headers, body = self._send(method, path, ContentType, body)
        if status >= 300:
            raise self._error(operation, status, *of_xml(body))
        answer = {"ETag": headers.get("etag")}
        if method == "GET":
            answer["Body"] = types.SimpleNamespace(read=lambda: body)
            answer["ContentType"] = headers.get("content-type")
        return answer

    def _send(self, method, path, kind, body, headers=()):
        place = urllib.parse.urlsplit(self._endpoint)
        seconds = self._config.connect_timeout + self._config.read_timeout
        day = datetime.now(timezone.utc).strftime("%Y%m%d")
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        sent = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
            "SignedHeaders=host, Signature=unchecked",
            **dict(headers),
        }
        if kind:
            sent["Content-Type"] = kind
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=seconds)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, dict(map(lower, answer.getheaders())), answer.read()
        except OSError as error:
            message = f'Could not connect to the endpoint URL: "{self._endpoint}": {error}'
            raise EndpointConnectionError(message) from error
        finally:
            connection.close()

    def _error(self, operation, status, code, message, more=()):
        response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
            **dict(more),
        }
        kind = getattr(self.exceptions, code) if code.isidentifier() else ClientError
        return kind(response, operation)


class Database:
    """DynamoDB with values of Python."""

    def __init__(self, config, region, endpoint):
        self.meta = types.SimpleNamespace(client=Native(config, region, endpoint))

    def Table(self, name):
        return Table(name, self.meta.client)


class Native(Client):
    """A client of DynamoDB that takes and gives values of Python."""

    def __init__(self, config, region, endpoint):
        super().__init__("dynamodb", config, region, endpoint)

    def _call(self, name, given):
        return native(super()._call(name, stored(expressed(given))))


class Table:
    """A table."""

    def __init__(self, name, client):
        self.name, self.table_name = name, name
        self.meta = types.SimpleNamespace(client=client)

    def __getattr__(self, name):
        call = getattr(self.meta.client, name)
        return lambda **given: call(TableName=self.name, **given)


# Members that hold an item, a key or named values.
ITEMS = ("Item", "Key", "Attributes", "ExclusiveStartKey", "LastEvaluatedKey", "ExpressionAttributeValues")


def expressed(given):
    """The same with expressions in the place of conditions."""
    names = dict(given.get("ExpressionAttributeNames", {}))
    values = dict(given.get("ExpressionAttributeValues", {}))
    made = {
        name: value.built(names, values) if isinstance(value, Condition) else value
        for name, value in given.items()
    }
    for member, all_of_it in (("Names", names), ("Values", values)):
        if all_of_it:
            made[f"ExpressionAttribute{member}"] = all_of_it
    return made


def stored(given):
    """The same with values of DynamoDB in the items of a call."""
    put = TypeSerializer().serialize
    if isinstance(given, list):
        return [stored(item) for item in given]
    if not isinstance(given, dict):
        return given
    return {
        name: {key: put(item) for key, item in value.items()} if name in ITEMS else stored(value)
        for name, value in given.items()
    }


def native(answer):
    """The same with values of Python in the items of an answer."""
    get = TypeDeserializer().deserialize

    def item(value):
        return {key: get(one) for key, one in value.items()}

    made = dict(answer)
    for name in ITEMS:
        if name in made:
            made[name] = item(made[name])
    if "Items" in made:
        made["Items"] = [item(value) for value in made["Items"]]
    return made


def encoded(value):
    """The same with bytes in Base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: encoded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encoded(item) for item in value]
    return value


def decoded(value):
    """The same with bytes where DynamoDB has some."""
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        if set(value) == {"BS"} and isinstance(value["BS"], list):
            return {"BS": [base64.b64decode(item) for item in value["BS"]]}
        return {name: decoded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [decoded(item) for item in value]
    return value


def flat(given):
    """The members of a call as a form: texts, and attributes of a message."""
    fields = {}
    for name, value in given.items():
        if isinstance(value, dict):
            for place, (key, one) in enumerate(value.items(), 1):
                fields[f"{name}.entry.{place}.Name"] = key
                for member, item in one.items():
                    fields[f"{name}.entry.{place}.Value.{member}"] = item
        else:
            fields[name] = value
    return fields


def text_in(body, name):
    """The text of an element."""
    found = re.search(f"<{name}>(.*?)</{name}>".encode(), body, re.DOTALL)
    return found[1].decode() if found else ""


def of_xml(body):
    """Code and message of an error."""
    return text_in(body, "Code") or "Unknown", text_in(body, "Message")


def lower(header):
    return header[0].lower(), header[1]
