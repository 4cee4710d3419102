"""What the tests of the functions share: loading one as Lambda does, calling it, its log."""

import contextlib
import importlib.util
import io
import json
import os
import random
import sys
import unittest
from pathlib import Path
from unittest import mock

import boto3
from moto import mock_aws

# The folders are packaged as they are: nothing may be left in them.
sys.dont_write_bytecode = True

ROOT = Path(__file__).resolve().parents[2] / "functions"
# The functions of the migration example, which are not those of the platform.
EXAMPLE = ROOT.parent / "config/examples/migration/functions"


def folders(root):
    return {folder.name: folder for folder in sorted(root.iterdir()) if folder.is_dir()}


NAMES = list(folders(ROOT))
FOLDERS = folders(ROOT) | folders(EXAMPLE)
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "ENVIRONMENT_SUFFIX": "test",
    "TRANSACTION_TABLE": "payment-transactions-test",
    "AUDIT_BUCKET": "payment-audit-logs-test",
    "LOGS_BUCKET": "payment-logs-test",
}


def load(name):
    """A fresh module, with only its own folder beside it, as in the package."""
    folder = FOLDERS[name]
    for beside in ("figures", "layout", "postgres"):
        sys.modules.pop(beside, None)
    with mock.patch.object(sys, "path", [str(folder), *sys.path]):
        spec = importlib.util.spec_from_file_location(f"{name}_index", folder / "index.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


class Context:
    """What Lambda passes."""

    aws_request_id = "request-1"

    def __init__(self, left=60_000):
        self.left = left

    def get_remaining_time_in_millis(self):
        return self.left


class FunctionTest(unittest.TestCase):
    """A test of one function, with an AWS of its own."""

    name = None
    environment = {}

    def setUp(self):
        environment = ENVIRONMENT | self.environment
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.enterContext(mock_aws())
        self.function = load(self.name)
        self.log = self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def call(self, event, left=60_000):
        return self.function.handler(event, Context(left))

    def post(self, body, headers=None):
        """Through API Gateway; returns the status and the decoded answer."""
        text = body if isinstance(body, str) else json.dumps(body)
        found = self.call({"httpMethod": "POST", "headers": headers, "body": text})
        self.assertEqual(found["headers"]["Content-Type"], "application/json")
        return found["statusCode"], json.loads(found["body"])

    def lines(self):
        """The log: every line is a JSON object."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        for line in lines:
            self.assertLessEqual({"level", "message", "request_id"}, line.keys())
        return lines


def make_table():
    """The transactions table of the platform."""
    attributes = {"transaction_id": "S", "timestamp": "N", "customer_id": "S", "status": "S"}

    def keys(partition):
        return [
            {"AttributeName": partition, "KeyType": "HASH"},
            {"AttributeName": "timestamp", "KeyType": "RANGE"},
        ]

    def index(name, partition):
        everything = {"ProjectionType": "ALL"}
        return {"IndexName": name, "KeySchema": keys(partition), "Projection": everything}

    return boto3.resource("dynamodb").create_table(
        TableName=ENVIRONMENT["TRANSACTION_TABLE"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in attributes.items()
        ],
        KeySchema=keys("transaction_id"),
        GlobalSecondaryIndexes=[
            index("customer-index", "customer_id"),
            index("status-index", "status"),
        ],
    )


def make_bucket(name):
    """A bucket in which every write leaves a version."""
    boto3.client("s3").create_bucket(Bucket=name)
    bucket = boto3.resource("s3").Bucket(name)
    bucket.Versioning().enable()
    return bucket


def stored(bucket):
    """What lies in a bucket: name to content."""
    return {item.key: json.loads(item.get()["Body"].read()) for item in bucket.objects.all()}


def card(seed, length):
    """A card number of this length whose check digit fits."""
    chance = random.Random(seed)
    digits = [chance.randint(2, 6)] + [chance.randint(0, 9) for _ in range(length - 2)]
    for last in range(10):
        total = 0
        for place, digit in enumerate(reversed(digits + [last])):
            total += sum(divmod(2 * digit, 10)) if place % 2 else digit
        if total % 10 == 0:
            return "".join(map(str, digits + [last]))
    raise AssertionError("one of ten digits fits")


PAYMENT = {
    "customer_id": "customer-1",
    "amount": "10.50",
    "currency": "USD",
    "card_number": "4111 1111 1111 1111",
}
