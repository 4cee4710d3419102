"""`POST /fraud-check`: how risky is this payment, seen against what the customer paid before?

Reads the newest transactions of the customer and scores the payment. It decides nothing.
"""

import base64
import functools
import json
import os
import re
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config

RECENT = 10
HIGH_VALUE = Decimal(10000)
MANY = 5
UNUSUAL = 10
REVIEW = 50


@functools.cache
def table():
    """The transactions. API Gateway waits 29 seconds, so a hanging call must end before that."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})
    return boto3.resource("dynamodb", config=config).Table(os.environ["TRANSACTION_TABLE"])


class Refused(Exception):
    """A request that the caller can put right."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        body = body_of(event)
        customer, amount = text_of(body, "customer_id"), amount_of(body)
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


# The functions below stand in every function that answers the API, in the same words.


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
