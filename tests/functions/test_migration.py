"""The functions of the migration example: they answer and keep what their source answers and keeps."""

import json
import unittest
import uuid
from datetime import datetime, timezone
from decimal import Decimal

from support import ENVIRONMENT, PAYMENT, FunctionTest, make_bucket, make_table, stored


class OfMigration(FunctionTest):
    def ask(self, body):
        """Through API Gateway; returns the status and the decoded answer."""
        text = body if isinstance(body, str) else json.dumps(body)
        found = self.call({"httpMethod": "POST", "headers": None, "body": text})
        self.assertLessEqual({"statusCode", "body"}, found.keys())
        return found["statusCode"], json.loads(found["body"])

    def expect_no_card(self):
        """The log has no card number."""
        self.assertNotIn("1111111111", self.log.getvalue().replace(" ", ""))


class Validation(OfMigration):
    name = "payment_validation"

    def test_a_good_payment(self):
        good = (200, {"message": "Payment validation successful", "validated": True})
        for changes in [{}, {"amount": 0.01}, {"card_number": "4111 1111 1111 1112"}]:
            self.assertEqual(self.ask(PAYMENT | changes), good)

    def test_a_missing_field_is_named(self):
        for name in PAYMENT:
            body = {key: value for key, value in PAYMENT.items() if key != name}
            self.assertEqual(self.ask(body), (400, {"error": f"Missing required field: {name}"}))

    def test_an_amount_must_be_positive(self):
        for amount in [0, -1, "-0.01"]:
            wanted = (400, {"error": "Amount must be positive"})
            self.assertEqual(self.ask(PAYMENT | {"amount": amount}), wanted)

    def test_a_card_number_has_13_to_19_digits(self):
        for length in [12, 20]:
            wanted = (400, {"error": "Invalid card number format"})
            self.assertEqual(self.ask(PAYMENT | {"card_number": "4" * length}), wanted)
        for length in [13, 19]:
            self.assertEqual(self.ask(PAYMENT | {"card_number": "4" * length})[0], 200)

    def test_a_fault_is_internal_and_quotes_nothing(self):
        for body in ["no JSON", PAYMENT | {"amount": "4111111111111111x"}]:
            self.assertEqual(self.ask(body), (500, {"error": "Internal validation error"}))
        self.assertIn("Validation error: ", self.log.getvalue())
        self.expect_no_card()


class FraudCheck(OfMigration):
    name = "fraud_check"

    def setUp(self):
        super().setUp()
        self.table = make_table()

    def paid(self, *amounts):
        for at, amount in enumerate(amounts):
            row = {"transaction_id": str(uuid.uuid4()), "timestamp": at}
            self.table.put_item(Item=row | {"customer_id": "customer-1", "amount": Decimal(amount)})

    def score(self, body):
        status, found = self.ask({"customer_id": "customer-1"} | body)
        self.assertEqual(status, 200)
        return found

    def test_nothing_is_unusual(self):
        self.paid(1000)
        wanted = {"fraud_score": 0, "risk_level": "LOW"}
        wanted |= {"fraud_indicators": [], "requires_review": False}
        self.assertEqual(self.score({"amount": 10_000}), wanted)

    def test_the_amount_is_optional(self):
        self.assertEqual(self.score({})["fraud_score"], 0)

    def test_everything_is_unusual(self):
        self.paid(*[10] * 5)
        wanted = {"fraud_score": 90, "risk_level": "HIGH", "requires_review": True}
        words = ["High value transaction", "High transaction velocity", "Unusual transaction amount"]
        self.assertEqual(self.score({"amount": 10_000.01}), wanted | {"fraud_indicators": words})

    def test_a_high_value_alone_is_a_medium_risk(self):
        found = self.score({"amount": 10_001})
        self.assertEqual((found["fraud_score"], found["risk_level"]), (30, "MEDIUM"))
        self.assertFalse(found["requires_review"])

    def test_ten_times_the_average_is_usual(self):
        self.paid(1, 2)
        self.assertEqual(self.score({"amount": 15})["fraud_score"], 0)
        self.assertEqual(self.score({"amount": "15.0000001"})["fraud_score"], 40)

    def test_a_fault_is_of_the_service(self):
        wanted = (500, {"error": "Fraud detection service error"})
        for body in ["no JSON", "[]", {"amount": "much"}]:
            self.assertEqual(self.ask(body), wanted)
        self.assertIn("Fraud detection error: ", self.log.getvalue())


class Processing(OfMigration):
    name = "transaction_processing"

    def setUp(self):
        super().setUp()
        self.table = make_table()
        self.bucket = make_bucket(ENVIRONMENT["AUDIT_BUCKET"])

    def test_a_payment_becomes_a_row_and_an_audit_record(self):
        began = datetime.now(timezone.utc)
        status, found = self.ask(PAYMENT)
        self.assertEqual(status, 200)
        self.assertEqual(found["message"], "Transaction processed successfully")
        self.assertEqual(found["status"], "COMPLETED")
        [row] = self.table.scan()["Items"]
        self.assertEqual(row["transaction_id"], found["transaction_id"])
        # Seconds, not milliseconds.
        self.assertLess(abs(int(row["timestamp"]) - began.timestamp()), 60)
        moment = datetime.fromisoformat(row["processed_at"])
        self.assertIsNone(moment.tzinfo)
        self.assertEqual(int(moment.replace(tzinfo=timezone.utc).timestamp()), row["timestamp"])
        wanted = {"customer_id": "customer-1", "amount": Decimal("10.50"), "currency": "USD"}
        wanted |= {"status": "COMPLETED", "card_last_four": "1111"}
        kept = {"transaction_id", "timestamp", "processed_at"}
        self.assertEqual({name: row[name] for name in row.keys() - kept}, wanted)
        [(key, audit)] = stored(self.bucket).items()
        self.assertEqual(key, f"transactions/{moment:%Y/%m/%d}/{row['transaction_id']}.json")
        details = {"customer_id": "customer-1", "amount": "10.50", "currency": "USD"}
        wanted = {"transaction_id": row["transaction_id"], "timestamp": row["processed_at"]}
        wanted |= {"event": "TRANSACTION_PROCESSED", "details": details}
        self.assertEqual(audit, wanted)

    def test_a_load_balancer_gets_all_members_and_asks_for_health(self):
        event = {"requestContext": {"elb": {}}, "headers": {}, "isBase64Encoded": False}
        paid = self.call(event | {"httpMethod": "POST", "path": "/process", "body": json.dumps(PAYMENT)})
        kind = {"Content-Type": "application/json"}
        self.assertEqual((paid["statusCode"], paid["headers"], paid["isBase64Encoded"]), (200, kind, False))
        asked = self.call(event | {"httpMethod": "GET", "path": "/health", "body": ""})
        self.assertEqual((asked["statusCode"], json.loads(asked["body"])), (200, {"status": "healthy"}))
        self.assertEqual(len(self.table.scan()["Items"]), 1)

    def test_the_currency_is_usd_unless_said(self):
        without = {name: value for name, value in PAYMENT.items() if name != "currency"}
        for body in [without, PAYMENT | {"currency": "EUR"}]:
            self.assertEqual(self.ask(body)[0], 200)
        self.assertEqual(sorted(row["currency"] for row in self.table.scan()["Items"]), ["EUR", "USD"])

    def test_amounts_arrive_to_the_last_digit(self):
        body = json.dumps(PAYMENT).replace('"10.50"', "999999999999999.9999")
        self.assertEqual(self.ask(body)[0], 200)
        [row] = self.table.scan()["Items"]
        self.assertEqual(row["amount"], Decimal("999999999999999.9999"))

    def test_a_fault_keeps_nothing_and_quotes_nothing(self):
        wanted = (500, {"error": "Transaction processing failed"})
        without = {name: value for name, value in PAYMENT.items() if name != "customer_id"}
        for body in ["no JSON", without, PAYMENT | {"amount": "4111111111111111x"}]:
            self.assertEqual(self.ask(body), wanted)
        self.assertEqual(self.table.scan()["Items"], [])
        self.assertIn("Transaction processing error: ", self.log.getvalue())
        self.expect_no_card()


if __name__ == "__main__":
    unittest.main()
