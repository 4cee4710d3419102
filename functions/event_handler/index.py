"""Takes payment events from a queue, or from an event rule that calls it directly.

Every event is kept in the audit bucket under a name made of its id, so that an event that comes twice
is kept once. Failed and declined payments are announced to people. From a queue, only the messages
that failed go back, and in the end to the dead-letter queue.
"""

import functools
import json
import numbers
import os
import re
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from botocore.config import Config

# One event needs so many calls, each of which ends in good time whatever hangs. A batch may need more
# than the function has: what there is no time for goes back.
CONFIG = Config(
    connect_timeout=1, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 2
NEEDED_MS = 25_000
ALARMING = {"FAILED", "DECLINED"}
# What is kept of an event: of other fields only that they were there. KEPT_FIELDS adds some.
KEPT = {
    "account", "amount", "card_last_four", "code", "currency", "customer_id", "detail",
    "detail_type", "event_type", "fraud_indicators", "fraud_score", "id", "merchant_id", "message",
    "method", "order_id", "payment_id", "processed_at", "reason", "region", "requires_review",
    "resources", "risk_level", "source", "status", "time", "timestamp", "transaction_id", "type",
    "version",
}  # fmt: skip
# Of these the last four digits are kept.
CARDS = {"card", "card_number", "cardnumber", "pan"}
# What must not be kept even in part, not even that it was there.
FORBIDDEN = {
    "cardcode", "cav2", "cid", "csc", "cvc", "cvc2", "cvv", "cvv2", "magstripe", "pin", "pinblock",
    "cardsecuritycode", "securitycode", "track", "track1", "track1data", "track2",
    "track2data", "trackdata",
}  # fmt: skip


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
            if not has_time(context):
                raise TimeoutError("no time is left for this event in this batch")
            take(json.loads(record["body"], parse_float=Decimal), record, context)
        except Exception as error:
            message = record.get("messageId")
            log("ERROR", "event failed", context, message_id=message, **fault(error))
            failed.append({"itemIdentifier": message})
    return {"batchItemFailures": failed}


def has_time(context):
    """Whether one more event can be taken before Lambda ends the function."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left is None or left() >= NEEDED_MS


def take(event, record, context):
    """Keeps one event, and announces it if people should know."""
    if not isinstance(event, dict):
        raise ValueError("an event is a JSON object")
    kept = kept_of(event)
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
        try:
            return datetime.fromisoformat(event["time"])
        except (TypeError, ValueError):
            # The text itself stays out of Lambda's own log.
            raise ValueError("the time of an event must be in ISO 8601") from None
    sent = record.get("attributes", {}).get("SentTimestamp")
    now = datetime.now(timezone.utc)
    return datetime.fromtimestamp(int(sent) // 1000, timezone.utc) if sent else now


def kept_of(value, name=""):
    """What is kept of an event: the fields that are known, and no card number wherever one hides."""
    if isinstance(value, dict):
        known = KEPT | set(os.environ.get("KEPT_FIELDS", "").split(","))
        return {
            mask(field): kept_of(item, plain(field))
            if plain(field) in known | CARDS
            else "[not kept]"
            for field, item in value.items()
            if plain(field).replace("_", "") not in FORBIDDEN
        }
    if isinstance(value, list):
        return [kept_of(item, name) for item in value]
    if name in CARDS and value is not None:
        digits = re.sub("[^0-9]", "", str(masked(value)))
        return "*" * 12 + digits[-4:]
    return masked(value)


def plain(name):
    """The name of a field, whatever the style: `card-number`, `cardNumber` and `card_number` are one."""
    name = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")


# What is below stands in every function, in the same words.

# What has as many digits as a card and is none: UUIDs, and times of this and the last century.
NO_CARD = re.compile(
    "(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?<!\d)(?:19|20)\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?!\d)"
)
# The magnetic stripe, first and second track: the number, the name, and what must not be kept.
TRACK = re.compile(
    r"[%;]?[Bb]?\d{13,19}(?:[=D]|\^[^^\n]{0,40}\^)\d\d(?:0[1-9]|1[0-2])\d{3}[^\s?\"]*\??"
)
# Digits with up to three characters between them that are neither digits nor letters.
DIGITS = re.compile(r"\d(?:[\W_]{0,3}\d){12,}")


def masked(value):
    """The same value without card numbers: in texts, in numbers and in the names of fields."""
    if isinstance(value, dict):
        return {mask(str(name)): masked(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if isinstance(value, (numbers.Real, Decimal)):
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) < 40:
            text = f"{number:f}"
    hidden = mask(text)
    return value if hidden == text else hidden


def mask(text):
    """The same text with stars for all but the last four digits of what may be a card number: any 13
    to 19 digits whose check digit fits, whatever stands between, before and after them."""
    text = TRACK.sub("[track]", text)
    pieces, start = [], 0
    for found in NO_CARD.finditer(text):
        pieces += [DIGITS.sub(stars, text[start : found.start()]), found[0]]
        start = found.end()
    return "".join(pieces) + DIGITS.sub(stars, text[start:])


def stars(found):
    """Stars in a row of digits. No card begins with 0, 1 or 7."""
    signs = list(found[0])
    places = [place for place, sign in enumerate(signs) if sign.isdecimal()]
    digits = [int(signs[place]) for place in places]
    # Of every beginning, the sum of the check with its even and with its odd places doubled.
    sums = [[0], [0]]
    for place, digit in enumerate(digits):
        twice = 2 * digit - (9 if digit > 4 else 0)
        for parity in (0, 1):
            sums[parity].append(sums[parity][-1] + (twice if place % 2 == parity else digit))
    hidden, reach = [], 0
    for first, digit in enumerate(digits):
        for end in range(first + 13, min(first + 19, len(digits)) + 1):
            if digit not in (0, 1, 7) and not (sums[end % 2][end] - sums[end % 2][first]) % 10:
                reach = max(reach, end)
        hidden.append(first < reach)
    for at, place in enumerate(places):
        if hidden[at] and len(hidden[at : at + 5]) == 5 and all(hidden[at : at + 5]):
            signs[place] = "*"
    return "".join(signs)


def fault(error):
    """What the log says of an error: where it came from, and its text."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "detail": str(error), "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line, without card numbers."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(masked(line), default=str), flush=True)
