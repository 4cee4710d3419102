"""Takes payment events from a queue, or from an event rule that calls it directly.

Every event is kept in the audit bucket under a name made of its id, so that an event that comes twice
is kept once. Failed and declined payments are announced to people. From a queue, only the messages
that failed go back, and in the end to the dead-letter queue.
"""

import functools
import json
import os
import re
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from botocore.config import Config

CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
ALARMING = {"FAILED", "DECLINED"}
# What must not be kept even in part.
FORBIDDEN = {"cvc", "cvv", "cvv2", "pin", "security_code", "track_data"}
CARD_FIELDS = {"card", "card_number", "cardnumber", "pan"}
# 13 to 19 digits, single spaces or hyphens between them, as payment cards begin. A UUID may happen to
# have as many digits in a row, and so is recognised first.
HEX = "[0-9A-Fa-f]"
CARD = re.compile(
    f"(?P<uuid>{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}})"
    r"|(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])"
)


@functools.cache
def client(service):
    """A client of an AWS service."""
    return boto3.client(service, config=CONFIG)


def handler(event, context):
    """Answers a queue with the messages that failed. A failure of anything else is raised, and
    whoever called repeats it."""
    if "Records" not in event:
        return take(event, {}, context)
    failed = []
    for record in event["Records"]:
        try:
            take(json.loads(record["body"], parse_float=Decimal), record, context)
        except Exception as error:
            message = record.get("messageId")
            log("ERROR", "event failed", context, message_id=message, **fault(error))
            failed.append({"itemIdentifier": message})
    return {"batchItemFailures": failed}


def take(event, record, context):
    """Keeps one event, and announces it if people should know."""
    if not isinstance(event, dict):
        raise ValueError("an event is a JSON object")
    kept = without_cards(event)
    name = kept.get("id") or record.get("messageId")
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_.:-]{1,128}", name):
        raise ValueError("an event needs an id of letters, digits and _.:-")
    detail = event.get("detail", event)
    if not isinstance(detail, dict):
        raise ValueError("the detail of an event is a JSON object")
    text = json.dumps(kept, default=str)
    client("s3").put_object(
        Bucket=os.environ["AUDIT_BUCKET"],
        Key=f"events/{moment_of(event, record):%Y/%m/%d}/{name}.json",
        Body=text.encode(),
        ContentType="application/json",
    )
    status = str(detail.get("status", "")).upper()
    topic = os.environ.get("ALERT_TOPIC_ARN")
    if status in ALARMING and topic:
        where = os.environ.get("ENVIRONMENT_SUFFIX", "")
        subject = f"Payment {status.lower()} ({where})"
        client("sns").publish(TopicArn=topic, Subject=subject, Message=text)
    kind = kept.get("detail-type") or kept.get("type")
    log("INFO", "event taken", context, event_id=name, event_type=kind)


def moment_of(event, record):
    """When it happened. The same for every delivery of a message, so that its name stays."""
    if "time" in event:
        return datetime.fromisoformat(event["time"])
    sent = record.get("attributes", {}).get("SentTimestamp")
    now = datetime.now(timezone.utc)
    return datetime.fromtimestamp(int(sent) // 1000, timezone.utc) if sent else now


def without_cards(value, name=""):
    """The same value without card numbers, wherever they hide: of each the last four digits stay."""
    name = name.lower().replace("-", "_")
    if isinstance(value, dict):
        items = value.items()
        return {without_cards(key): without_cards(item, key) for key, item in items if keep(key)}
    if isinstance(value, list):
        return [without_cards(item, name) for item in value]
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return value
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    digits = re.sub("[^0-9]", "", text)
    if name in CARD_FIELDS and len(digits) > 4:
        return "*" * (len(digits) - 4) + digits[-4:]
    masked = CARD.sub(mask, text)
    return value if masked == text else masked


def keep(name):
    """Whether a field may be kept at all."""
    return name.lower().replace("-", "_") not in FORBIDDEN


def mask(match):
    """Stars for a card number; other numbers are as long, but their check digit does not fit."""
    if match["uuid"]:
        return match[0]
    digits = re.sub("[ -]", "", match[0])
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(n if n < 10 else n - 9 for n in doubled)
    return match[0] if total % 10 else "*" * (len(digits) - 4) + digits[-4:]


# The functions below stand in several of the functions, in the same words.


def fault(error):
    """What the log says of an error: where it came from, and its text without card numbers."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    text = re.sub(r"(?:[0-9][ -]?){13,}", "[digits] ", str(error))
    return {"error": type(error).__name__, "detail": text, "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(line, default=str), flush=True)
