"""What moto lacks of WAF, GuardDuty and Cost Explorer: which resources a web ACL protects and that an
update clears, the tags of detectors, cost anomaly detection."""

import json
import uuid
from urllib.parse import unquote

from moto.ce.responses import CostExplorerResponse
from moto.core.exceptions import JsonRESTError
from moto.guardduty import urls
from moto.guardduty.responses import GuardDutyResponse
from moto.wafv2.responses import WAFV2Response

STAGE, BALANCER = ":apigateway:", ":loadbalancer/app/"


def list_resources_for_web_acl(self):
    acl = self.wafv2_backend.wacls[self._get_param("WebACLArn")]
    part = STAGE if self._get_param("ResourceType") == "API_GATEWAY" else BALANCER
    found = [arn for arn in acl.associated_resources if part in arn]
    return 200, {"Content-Type": "application/json"}, json.dumps({"ResourceArns": found})


update_web_acl = WAFV2Response.update_web_acl


def replace_web_acl(self):
    """An update replaces everything: what it does not name goes."""
    answer = update_web_acl(self)
    acl = self.wafv2_backend.get_web_acl(None, self._get_param("Name"), self._get_param("Id"))
    acl.description = self._get_param("Description") or ""
    acl.rules = acl.rules if self._get_param("Rules") else []
    return answer


WAFV2Response.list_resources_for_web_acl = list_resources_for_web_acl
WAFV2Response.update_web_acl = replace_web_acl


def detector_of(response):
    """The detector at the end of the ARN in the path."""
    return response.guardduty_backend.get_detector(unquote(response.path).split("/")[-1])


def tag_detector(self):
    detector_of(self).tags.update(self._get_param("tags"))
    return "{}"


def untag_detector(self):
    for key in self.querystring.get("tagKeys", []):
        detector_of(self).tags.pop(key, None)
    return "{}"


urls.url_paths["{0}/tags/(?P<arn>.+)$"] = GuardDutyResponse.dispatch
GuardDutyResponse.tag_resource = tag_detector
GuardDutyResponse.untag_resource = untag_detector

MONITORS, SUBSCRIPTIONS = {}, {}
THINGS = {
    "Monitor": (MONITORS, "anomalymonitor"),
    "Subscription": (SUBSCRIPTIONS, "anomalysubscription"),
}


def create(word):
    things, path = THINGS[word]

    def answer(self):
        sent = json.loads(self.body)
        arn = f"arn:aws:ce::{self.current_account}:{path}/{uuid.uuid4()}"
        things[arn] = {**sent[f"Anomaly{word}"], f"{word}Arn": arn}
        self.ce_backend.tag_resource(arn, sent.get("ResourceTags", []))
        return json.dumps({f"{word}Arn": arn})

    return answer


def get(word):
    things, _ = THINGS[word]

    def answer(self):
        wanted = json.loads(self.body).get(f"{word}ArnList")
        unknown = [arn for arn in wanted or [] if arn not in things]
        if unknown:
            raise JsonRESTError(f"Unknown{word}Exception", "It does not exist.")
        found = [thing for arn, thing in things.items() if not wanted or arn in wanted]
        return json.dumps({f"Anomaly{word}s": found})

    return answer


def update(word):
    things, _ = THINGS[word]

    def answer(self):
        sent = json.loads(self.body)
        things[sent[f"{word}Arn"]].update(sent)
        return json.dumps({f"{word}Arn": sent[f"{word}Arn"]})

    return answer


def delete(word):
    things, _ = THINGS[word]

    def answer(self):
        things.pop(json.loads(self.body)[f"{word}Arn"], None)
        return "{}"

    return answer


for word in THINGS:
    for verb in (create, get, update, delete):
        name = f"{verb.__name__}_anomaly_{word.lower()}{'s' if verb is get else ''}"
        setattr(CostExplorerResponse, name, verb(word))
