"""`POST /fraud-check` of the migration example, in the words of its source.

It scores a payment against the last ten of the customer, and decides nothing.
"""

import functools
import json
import os
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config

CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 1


@functools.cache
def table():
    """The transactions."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TRANSACTION_TABLE"])


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration)."""
    try:
        body = json.loads(event["body"], parse_float=Decimal)
        amount = Decimal(str(body.get("amount", 0)))
        return answer(200, score(amount, recent_amounts(body.get("customer_id"))))
    except Exception as error:
        # The text of an error may quote the request.
        print(f"Fraud detection error: {type(error).__name__}")
        return answer(500, {"error": "Fraud detection service error"})


def recent_amounts(customer):
    """What the customer's last transactions were worth."""
    found = table().query(
        IndexName="customer-index",
        KeyConditionExpression=Key("customer_id").eq(customer),
        ScanIndexForward=False,
        Limit=10,
    )
    return [item.get("amount", Decimal(0)) for item in found["Items"]]


def score(amount, recent):
    """Points for what is unusual. A customer without transactions has no usual amount."""
    rules = [
        (30, "High value transaction", amount > 10_000),
        (20, "High transaction velocity", len(recent) >= 5),
        # Ten times the average, without a division that rounds.
        (40, "Unusual transaction amount", bool(recent) and amount * len(recent) > 10 * sum(recent)),
    ]
    total = sum(points for points, _, holds in rules if holds)
    return {
        "fraud_score": total,
        "risk_level": "HIGH" if total >= 50 else "MEDIUM" if total >= 30 else "LOW",
        "fraud_indicators": [words for _, words, holds in rules if holds],
        "requires_review": total >= 50,
    }


def answer(status, body):
    """A response for API Gateway."""
    return {"statusCode": status, "body": json.dumps(body)}
