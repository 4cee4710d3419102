"""`POST /process` of the migration example, in the words of its source.

It writes a row into the transactions table and a record into the audit bucket. As in the source, a
repeated request is a payment of its own. Of the card only the last four digits are kept.
"""

import functools
import json
import os
import uuid
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from botocore.config import Config

CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 2


@functools.cache
def table():
    """The transactions."""
    return boto3.resource("dynamodb", config=CONFIG).Table(os.environ["TRANSACTION_TABLE"])


@functools.cache
def storage():
    """Where the audit records go."""
    return boto3.client("s3", config=CONFIG)


def handler(event, context):
    """Answers API Gateway (Lambda proxy integration) or a load balancer, which also asks for health."""
    if event.get("path") == "/health":
        return answer(200, {"status": "healthy"})
    try:
        body = json.loads(event["body"], parse_float=Decimal)
        transaction_id, now = str(uuid.uuid4()), datetime.now(timezone.utc)
        moment = now.replace(tzinfo=None).isoformat()
        currency = body.get("currency", "USD")
        table().put_item(
            Item={
                "transaction_id": transaction_id,
                "timestamp": int(now.timestamp()),
                "customer_id": body["customer_id"],
                "amount": Decimal(str(body["amount"])),
                "currency": currency,
                "status": "COMPLETED",
                "card_last_four": body["card_number"][-4:],
                "processed_at": moment,
            }
        )
        details = {"customer_id": body["customer_id"], "amount": str(body["amount"])}
        audit = {
            "transaction_id": transaction_id,
            "timestamp": moment,
            "event": "TRANSACTION_PROCESSED",
            "details": details | {"currency": currency},
        }
        storage().put_object(
            Bucket=os.environ["AUDIT_BUCKET"],
            Key=f"transactions/{now:%Y/%m/%d}/{transaction_id}.json",
            Body=json.dumps(audit).encode(),
            ContentType="application/json",
        )
        done = {"message": "Transaction processed successfully"}
        return answer(200, done | {"transaction_id": transaction_id, "status": "COMPLETED"})
    except Exception as error:
        # The text of an error may quote the request.
        print(f"Transaction processing error: {type(error).__name__}")
        return answer(500, {"error": "Transaction processing failed"})


def answer(status, body):
    """A response. A load balancer wants all members; API Gateway would assume the last two."""
    return {
        "statusCode": status,
        "body": json.dumps(body),
        "headers": {"Content-Type": "application/json"},
        "isBase64Encoded": False,
    }
