"""CloudWatch is translated: the SDKs speak RPC v2 CBOR to it, moto knows AWS JSON only. And what moto
forgets of a dashboard and of a metric filter is kept here."""

import io
import json
import re

import cbor2
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.utils import parse_timestamp
from moto import server
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.logs.metric_filters import MetricFilters

CALL = re.compile(r"/service/(\w+)/operation/(\w+)")
CLOUDWATCH = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"))


def typed(value, shape):
    """A value of AWS JSON as CBOR wants it: times tagged, doubles as doubles."""
    if value is None or shape is None:
        return value
    if shape.type_name == "structure":
        members = value.items()
        return {key: typed(item, shape.members.get(key)) for key, item in members if item is not None}
    if shape.type_name == "list":
        return [typed(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: typed(item, shape.value) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return cbor2.CBORTag(1, parse_timestamp(value).timestamp())
    return float(value) if shape.type_name == "double" else value


class Application(server.DomainDispatcherApplication):
    """moto, which understands CBOR too."""

    def __call__(self, environ, start_response):
        call = CALL.fullmatch(environ["PATH_INFO"])
        if not call:
            return super().__call__(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        sent = json.dumps(cbor2.loads(body) if body else {}, default=lambda time: time.timestamp())
        environ.pop("HTTP_SMITHY_PROTOCOL", None)
        environ.pop("HTTP_ACCEPT", None)
        environ.update({
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(sent.encode())),
            "HTTP_X_AMZ_TARGET": ".".join(call.groups()),
            "wsgi.input": io.BytesIO(sent.encode()),
        })
        heads = []
        received = b"".join(super().__call__(environ, lambda *head: heads.append(head)))
        status, headers = heads[-1][:2]
        answer = json.loads(received or b"{}")
        if status.startswith("2"):
            answer = typed(answer, CLOUDWATCH.operation_model(call[2]).output_shape)
        encoded = cbor2.dumps(answer or {})
        drop = {"content-type", "content-length"}
        headers = [(name, value) for name, value in headers if name.lower() not in drop]
        headers += [
            ("Content-Type", "application/cbor"),
            ("Content-Length", str(len(encoded))),
            ("smithy-protocol", "rpc-v2-cbor"),
        ]
        start_response(status, headers)
        return [encoded]


put_dashboard = CloudWatchResponse.put_dashboard


def put_dashboard_with_tags(self):
    """Keeps the tags of a new dashboard."""
    backend, name = self.cloudwatch_backend, self._get_param("DashboardName")
    is_new = name not in backend.dashboards
    result = put_dashboard(self)
    if is_new:
        arn = backend.dashboards[name].arn
        backend.tagger.delete_all_tags_for_resource(arn)
        backend.tagger.tag_resource(arn, self._get_param("Tags", []))
    return result


tag_resource = CloudWatchBackend.tag_resource


def tag_what_has_tags(self, arn, tags):
    """moto knows the tags of alarms only."""
    if arn in self.tagger.tags:
        self.tagger.tag_resource(arn, self.tagger.convert_dict_to_tags_input(tags))
    else:
        tag_resource(self, arn, tags)


add_filter = MetricFilters.add_filter


def replace_filter(self, filter_name, filter_pattern, log_group_name, metric_transformations):
    """A filter of that name is replaced, not doubled."""
    self.delete_filter(filter_name, log_group_name)
    add_filter(self, filter_name, filter_pattern, log_group_name, metric_transformations)


server.DomainDispatcherApplication = Application
CloudWatchResponse.put_dashboard = put_dashboard_with_tags
CloudWatchBackend.tag_resource = tag_what_has_tags
MetricFilters.add_filter = replace_filter
