"""`POST /process`: takes a payment, once.

Every request brings an idempotency key (the header `Idempotency-Key`, or `idempotency_key` in the
body). Three calls make a payment, and the third is the payment:

1. claim: a conditional write of a row for the key, with the id and the time of the payment. Whoever
   comes with the same key, at the same time or years later, finds it there and takes both from it.
2. audit: the record in the audit bucket, the same object with the same content each time.
3. commit: one transaction writes the payment's row and marks the claim as complete, if the claim was not.

Whatever an earlier request left undone is done by the next, and nothing is done twice. No payment is
without its audit record; a record without a payment belongs to a claim that is still open.

With a queue, an event for the payment follows. It goes out before the answer, and again for a repeated
request: whoever got an answer knows that the event is in the queue. Its id is that of the payment.
"""

import base64
import functools
import hashlib
import json
import numbers
import os
import re
import time
import uuid
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

# So many calls, each of which ends in good time whatever hangs; test_bounds holds them against the
# timeout. AWS's client tries again by itself: every call may be repeated.
CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 3
# The event of a payment is one more call. It has one attempt, so that all fit into the timeout.
CONFIG_ONCE = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 1}
)
# The states of a claim.
STARTED, COMPLETE = "started", "complete"
READ = TypeDeserializer()


@functools.cache
def table():
    """The transactions."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TRANSACTION_TABLE"])


@functools.cache
def storage():
    """Where the audit records go."""
    return boto3.client("s3", config=CONFIG)


@functools.cache
def queue():
    """Where the events go."""
    return boto3.client("sqs", config=CONFIG_ONCE)


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
        claimed = claim(key_of(event), payment)
        record = record_of(claimed, payment)
        is_new = claimed["state"] == STARTED
        if is_new:
            store_audit(bucket, record)
            is_new = commit(claimed, record)
        announce(record)
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
    """What is kept of a request, of the card only the last four digits; and what tells it from another
    one, for which a hash of the first six and the last four may be kept as well."""
    currency = text_of({"currency": "USD"} | body, "currency").upper()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise Refused("currency must be a code of three letters, such as USD")
    card = card_of(body)
    payment = {
        "customer_id": id_of(body, "customer_id"),
        "amount": amount_of(body),
        "currency": currency,
        "card_last_four": card[-4:],
    }
    return payment, digest(f"{payment['amount'].normalize():f}", currency, card[:6], card[-4:])


def key_of(event):
    """The idempotency key. The header goes before the body."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    source = {"idempotency_key": headers.get("idempotency-key")}
    if source["idempotency_key"] is None:
        source = body_of(event)
    if source.get("idempotency_key") is None:
        if os.environ.get("IDEMPOTENCY_KEY") == "optional":
            return str(uuid.uuid4())
        raise Refused("Idempotency-Key is missing: send a header with a key of this payment")
    return text_of(source, "idempotency_key")


def claim(key, request):
    """The claim of this key of this customer: a new one, or the one of before.

    It is a row of the table with a sort key that no transaction has. It has neither a customer nor a
    status and so stands in no index.
    """
    payment, fingerprint = request
    row = {
        "transaction_id": "idempotency#" + digest(payment["customer_id"], key),
        "timestamp": 0,
        "state": STARTED,
        "fingerprint": fingerprint,
        "amount": f"{payment['amount']:f}",
        "claimed_id": str(uuid.uuid4()),
        "claimed_at": time.time_ns() // 1_000_000,
    }
    client = table().meta.client
    try:
        table().put_item(
            Item=row,
            ConditionExpression="attribute_not_exists(transaction_id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as refused:
        # Also after our own write, if its answer was lost.
        row = {name: READ.deserialize(value) for name, value in refused.response["Item"].items()}
    if row["fingerprint"] != fingerprint:
        raise Refused("this idempotency key was used for another payment", 422)
    return row


def digest(*texts):
    """One hash of several texts. Their lengths keep them apart."""
    whole = "".join(f"{len(text)}:{text}" for text in texts)
    return hashlib.sha256(whole.encode()).hexdigest()


def record_of(claimed, request):
    """The row of a payment: the same for the same claim."""
    payment, _ = request
    transaction_id, timestamp = claimed["claimed_id"], int(claimed["claimed_at"])
    moment = datetime.fromtimestamp(timestamp // 1000, timezone.utc)
    return {
        "transaction_id": transaction_id,
        "timestamp": timestamp,
        **payment,
        # As it was written first: 10.5 may come again as 10.50.
        "amount": Decimal(claimed["amount"]),
        "status": "COMPLETED",
        "processed_at": moment.replace(microsecond=timestamp % 1000 * 1000).isoformat(),
    }


def commit(claimed, record):
    """Both or nothing: the row of the payment, and the claim that is complete now. Says whether it was
    still open."""
    client = table().meta.client
    complete = {
        "TableName": table().name,
        "Item": claimed | {"state": COMPLETE},
        "ConditionExpression": "#state = :started",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":started": STARTED},
    }
    try:
        client.transact_write_items(
            TransactItems=[{"Put": complete}, {"Put": {"TableName": table().name, "Item": record}}]
        )
    except client.exceptions.TransactionCanceledException as refused:
        reasons = [reason.get("Code") for reason in refused.response["CancellationReasons"]]
        if reasons[0] != "ConditionalCheckFailed":
            raise
        return False
    return True


def announce(record):
    """The event of a payment, if this environment has a queue for it."""
    url = os.environ.get("PAYMENT_QUEUE_URL")
    if not url:
        return
    event = {"id": record["transaction_id"], "type": "payment", "time": record["processed_at"]}
    event["detail"] = readable(record)
    queue().send_message(QueueUrl=url, MessageBody=json.dumps(event))


def readable(record):
    """The record for JSON, with the amount as text: no reader turns that into a float."""
    return record | {"amount": f"{record['amount']:f}"}


def store_audit(bucket, record):
    """The record in the audit bucket."""
    day = record["processed_at"][:10].replace("-", "/")
    storage().put_object(
        Bucket=bucket,
        Key=f"transactions/{day}/{record['transaction_id']}.json",
        Body=json.dumps(readable(record)).encode(),
        ContentType="application/json",
    )


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
