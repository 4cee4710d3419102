"""`POST /process`: takes a payment, once.

A payment is a row in the transactions table and then a record in the audit bucket. A request with an
idempotency key (the header `Idempotency-Key`, or `idempotency_key` in the body) first claims the key
with a conditional write. The claim holds the id and the time of the payment, so every request with
the same key, at the same time or years later, writes the same row under the same condition and the
same audit record: whatever an earlier one left undone is done, and nothing is done twice.
"""

import base64
import functools
import hashlib
import json
import os
import re
import time
import uuid
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from botocore.config import Config

# API Gateway waits 29 seconds, so a hanging call must end before that.
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard"})


@functools.cache
def table():
    """The transactions."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TRANSACTION_TABLE"])


@functools.cache
def storage():
    """Where the audit records go."""
    return boto3.client("s3", config=CONFIG)


class Refused(Exception):
    """A request that the caller can put right."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        bucket = os.environ["AUDIT_BUCKET"]
        payment = payment_of(body_of(event))
        key = key_of(event)
        identity = claim(key, payment) if key else new_identity()
        record = record_of(identity, payment)
        is_new = put_once(record)
        store_audit(bucket, record)
        log(
            "INFO",
            "payment processed" if is_new else "payment repeated",
            context,
            transaction_id=record["transaction_id"],
            customer_id=record["customer_id"],
        )
        done = {"message": "Transaction processed successfully"}
        done |= {"transaction_id": record["transaction_id"], "status": record["status"]}
        return answer(200, done)
    except Refused as refused:
        log("INFO", "request refused", context, status=refused.status, reason=str(refused))
        return answer(refused.status, {"error": str(refused)})
    except Exception as error:
        log("ERROR", "processing failed", context, **fault(error))
        return answer(500, {"error": "Internal error"})


def payment_of(body):
    """What is kept of a request: of the card only the last four digits."""
    currency = text_of({"currency": "USD"} | body, "currency").upper()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise Refused("currency must be a code of three letters, such as USD")
    return {
        "customer_id": text_of(body, "customer_id"),
        "amount": amount_of(body),
        "currency": currency,
        "card_last_four": card_of(body)[-4:],
    }


def key_of(event):
    """The idempotency key, if the request has one. The header goes before the body."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    source = {"idempotency_key": headers.get("idempotency-key")}
    if source["idempotency_key"] is None:
        source = body_of(event)
    if source.get("idempotency_key") is None:
        return None
    return text_of(source, "idempotency_key")


def new_identity():
    """A transaction that nobody has seen: its id and its time in milliseconds."""
    return str(uuid.uuid4()), time.time_ns() // 1_000_000


def claim(key, payment):
    """The identity that belongs to this key of this customer: a new one, or the one of before.

    The claim is a row of the table with a sort key that no transaction has. It has neither a
    customer nor a status and so stands in no index.
    """
    fingerprint = digest(f"{payment['amount'].normalize():f}", payment["currency"])
    fingerprint = digest(fingerprint, payment["card_last_four"])
    name = "idempotency#" + digest(payment["customer_id"], key)
    identity = new_identity()
    row = {"transaction_id": name, "timestamp": 0, "fingerprint": fingerprint}
    row |= {"claimed_id": identity[0], "claimed_at": identity[1]}
    if put_once(row):
        return identity
    where = {"transaction_id": name, "timestamp": 0}
    found = table().get_item(Key=where, ConsistentRead=True)["Item"]
    if found["fingerprint"] != fingerprint:
        raise Refused("this idempotency key was used for another payment", 422)
    return found["claimed_id"], int(found["claimed_at"])


def digest(first, second):
    """One hash of two texts. The length keeps them apart."""
    return hashlib.sha256(f"{len(first)}:{first}{second}".encode()).hexdigest()


def record_of(identity, payment):
    """The row of a payment: the same for the same identity."""
    transaction_id, timestamp = identity
    moment = datetime.fromtimestamp(timestamp // 1000, timezone.utc)
    return {
        "transaction_id": transaction_id,
        "timestamp": timestamp,
        **payment,
        "status": "COMPLETED",
        "processed_at": moment.replace(microsecond=timestamp % 1000 * 1000).isoformat(),
    }


def put_once(row):
    """Writes a row, or says that it was there. A repeat of our own write also finds it there."""
    client = table().meta.client
    try:
        table().put_item(Item=row, ConditionExpression="attribute_not_exists(transaction_id)")
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def store_audit(bucket, record):
    """The record as JSON, with the amount as text: no reader turns that into a float."""
    day = record["processed_at"][:10].replace("-", "/")
    storage().put_object(
        Bucket=bucket,
        Key=f"transactions/{day}/{record['transaction_id']}.json",
        Body=json.dumps(record | {"amount": f"{record['amount']:f}"}).encode(),
        ContentType="application/json",
    )


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


def card_of(body):
    """The digits of the card number."""
    value = field(body, "card_number")
    digits = value.replace(" ", "") if isinstance(value, str) else ""
    if not re.fullmatch("[0-9]{13,19}", digits):
        raise Refused("card_number must have 13 to 19 digits")
    return digits


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
