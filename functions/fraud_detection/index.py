"""`POST /fraud-check`: how risky is this payment, seen against what the customer paid before?

Reads the newest transactions of the customer and scores the payment. It decides nothing.
"""

import base64
import functools
import json
import numbers
import os
import re
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config

# One call, which ends in good time whatever hangs; test_bounds holds it against the timeout.
CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 1
RECENT = 10
HIGH_VALUE = Decimal(10000)
MANY = 5
UNUSUAL = 10
REVIEW = 50


@functools.cache
def table():
    """The transactions."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TRANSACTION_TABLE"])


class Refused(Exception):
    """A request that the caller can put right."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        body = body_of(event)
        customer, amount = id_of(body, "customer_id"), amount_of(body)
        found = score(amount, recent_amounts(customer))
        log("INFO", "payment scored", context, customer_id=customer, **found)
        return answer(200, found)
    except Refused as refused:
        log("INFO", "request refused", context, status=refused.status, reason=str(refused))
        return answer(refused.status, {"error": str(refused)})
    except Exception as error:
        log("ERROR", "fraud check failed", context, **fault(error))
        return answer(500, {"error": "Internal error"})


def recent_amounts(customer):
    """What the customer's last transactions were worth, newest first."""
    found = table().query(
        IndexName="customer-index",
        KeyConditionExpression=Key("customer_id").eq(customer),
        ScanIndexForward=False,
        Limit=RECENT,
    )
    return [item["amount"] for item in found["Items"]]


def score(amount, recent):
    """Points for what is unusual. A customer without transactions has no usual amount."""
    points = [
        (30, "high value", amount > HIGH_VALUE),
        (20, "high velocity", len(recent) >= MANY),
        # Without a division, so that nothing is rounded.
        (40, "unusual amount", bool(recent) and amount * len(recent) > UNUSUAL * sum(recent)),
    ]
    total = sum(worth for worth, _, holds in points if holds)
    return {
        "fraud_score": total,
        "risk_level": "HIGH" if total >= 50 else "MEDIUM" if total >= 30 else "LOW",
        "fraud_indicators": [name for _, name, holds in points if holds],
        "requires_review": total >= REVIEW,
    }


# What is below stands in every function that answers the API, in the same words.


def body_of(event):
    """The JSON object in the request. Numbers are Decimal: money never passes through a float."""
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True)
        body = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused("the body must be a JSON object")
    return body


def field(body, name):
    """A field that must be there."""
    value = body.get(name)
    if value is None or value == "":
        raise Refused(f"{name} is missing")
    return value


def text_of(body, name):
    """A short text."""
    value = field(body, name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= 128:
        raise Refused(f"{name} must be a text of 1 to 128 characters")
    return value


def id_of(body, name):
    """An id, which is stored and logged: it must not be a card number."""
    value = text_of(body, name)
    if mask(value) != value:
        raise Refused(f"{name} must not hold what may be a card number: send an id of your own")
    return value


def amount_of(body):
    """A positive decimal, as a JSON number or as text: at most 15 digits, and 4 after the point."""
    value = field(body, "amount")
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,4})?", value):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
        raise Refused("amount must be a positive decimal number")
    if value.adjusted() >= 15 or value.as_tuple().exponent < -4:
        raise Refused("amount must have at most 15 digits before the point and 4 after it")
    return value


def answer(status, body):
    """A response for API Gateway, which web pages of `CORS_ORIGIN` may read."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if os.environ.get("CORS_ORIGIN"):
        headers["Access-Control-Allow-Origin"] = os.environ["CORS_ORIGIN"]
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


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
