"""`POST /validate`: is this a payment that can be processed?

Looks at the request only: it reads and writes nothing. The card number is checked and forgotten.
"""

import base64
import json
import os
import re
from decimal import Decimal


class Refused(Exception):
    """A request that the caller can put right."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        validate(body_of(event))
        log("INFO", "payment validated", context)
        return answer(200, {"message": "Payment data is valid", "validated": True})
    except Refused as refused:
        log("INFO", "request refused", context, status=refused.status, reason=str(refused))
        return answer(refused.status, {"error": str(refused)})
    except Exception as error:
        log("ERROR", "validation failed", context, **fault(error))
        return answer(500, {"error": "Internal error"})


def validate(body):
    """Refuses what `/process` would refuse, and card numbers with a typing error."""
    text_of(body, "customer_id")
    amount_of(body)
    if not re.fullmatch("[A-Za-z]{3}", text_of(body, "currency")):
        raise Refused("currency must be a code of three letters, such as USD")
    if not passes_luhn(card_of(body)):
        raise Refused("card_number has a typing error: its check digit does not fit")


def passes_luhn(digits):
    """The checksum that every card number carries in its last digit."""
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(n if n < 10 else n - 9 for n in doubled)
    return total % 10 == 0


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
