"""What moto's Route 53 and its domain names lack: batches that check what they delete and create, changes
of domain names, lists of mappings that are not there yet. The account gets the zone that the tests write
into. Certificates are issued at once: moto does not look for their records."""

import json

from moto import settings
from moto.apigateway import models, urls
from moto.apigateway.responses import APIGatewayResponse
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.route53 import models as dns

settings.ACM_VALIDATION_WAIT = -1


class InvalidChangeBatch(ServiceException):
    code = "InvalidChangeBatch"


def plain(name):
    return name.rstrip(".").lower()


def state(record):
    """What a record set is known by, and what it holds."""
    values = [value["Value"] for value in record.get("ResourceRecords") or []]
    alias = record.get("AliasTarget") or {}
    target = (alias.get("HostedZoneId"), plain(alias.get("DNSName", "")))
    place = (plain(record["Name"]), record["Type"], record.get("SetIdentifier"))
    return place, (int(record.get("TTL") or 0), sorted(values), target)


def kept(record):
    """The same of a record set that moto keeps."""
    return state({
        "Name": record.name,
        "Type": record.type,
        "SetIdentifier": record.set_identifier,
        "TTL": record.ttl,
        "ResourceRecords": record.resource_records,
        "AliasTarget": record.alias_target,
    })


def change(self, zoneid, change_list):
    zone = self.get_hosted_zone(zoneid)
    held, wrong = dict(kept(record) for record in zone.rrsets), []
    for one in change_list:
        place, value = state(one["ResourceRecordSet"])
        shown = f"[name='{place[0]}.', type='{place[1]}']"
        if one["Action"] == "DELETE":
            if place not in held:
                wrong.append(f"Tried to delete resource record set {shown} but it was not found")
            elif held.pop(place) != value:
                wrong.append(
                    f"Tried to delete resource record set {shown} but the values provided do not "
                    "match the current values"
                )
            continue
        if one["Action"] == "CREATE" and place in held:
            wrong.append(f"Tried to create resource record set {shown} but it already exists")
        held[place] = value
    if wrong:
        raise InvalidChangeBatch(f"[{', '.join(wrong)}]")
    for one in change_list:
        given = one["ResourceRecordSet"]
        place, _ = state(given)
        zone.rrsets = [record for record in zone.rrsets if kept(record)[0] != place]
        if one["Action"] != "DELETE":
            values = [value["Value"] for value in given.get("ResourceRecords") or []]
            name = plain(given["Name"]) + "."
            zone.add_rrset({**given, "Name": name, "ResourceRecords": values})


def update_domain_name(self):
    domain = self.backend.get_domain_name(self.path.split("/")[2])
    attributes = {
        "/regionalCertificateArn": "regional_certificate_arn",
        "/securityPolicy": "security_policy",
    }
    for operation in self._get_param("patchOperations"):
        setattr(domain, attributes[operation["path"]], operation["value"])
    return json.dumps(domain.to_json())


mappings_as_before = models.APIGatewayBackend.get_base_path_mappings
delete_as_before = models.APIGatewayBackend.delete_domain_name


def get_base_path_mappings(self, domain_name):
    self.base_path_mappings.setdefault(domain_name, {})
    return mappings_as_before(self, domain_name)


def delete_domain_name(self, domain_name):
    delete_as_before(self, domain_name)
    self.base_path_mappings.pop(domain_name, None)


TAGS = (
    "{0}/tags/arn:(?P<partition>[^/]+):apigateway:(?P<region_name>[^/]+)::/"
    "(?P<kind>domainnames)/(?P<function_id>[^/]+)$"
)


def complete():
    """Puts all of it in place."""
    urls.url_paths[TAGS] = APIGatewayResponse.dispatch
    APIGatewayResponse.update_domain_name = update_domain_name
    models.APIGatewayBackend.get_base_path_mappings = get_base_path_mappings
    models.APIGatewayBackend.delete_domain_name = delete_domain_name
    dns.Route53Backend.change_resource_record_sets = change
    backend = dns.route53_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_hosted_zone("example.com.", private_zone=False)
