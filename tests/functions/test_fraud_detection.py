"""`POST /fraud-check`."""

import random
import unittest
from decimal import Decimal

from support import FunctionTest, make_table


class FraudDetection(FunctionTest):
    name = "fraud_detection"

    def setUp(self):
        super().setUp()
        self.table = make_table()

    def paid(self, customer, *amounts):
        """Transactions of a customer, oldest first."""
        for place, amount in enumerate(amounts):
            self.table.put_item(
                Item={
                    "transaction_id": f"{customer}-{place}",
                    "timestamp": 1_700_000_000_000 + place,
                    "customer_id": customer,
                    "status": "COMPLETED",
                    "amount": Decimal(amount),
                }
            )

    def check(self, customer, amount, score, level, indicators):
        status, found = self.post({"customer_id": customer, "amount": amount})
        self.assertEqual(status, 200)
        wanted = {"fraud_score": score, "risk_level": level, "fraud_indicators": indicators}
        self.assertEqual(found, wanted | {"requires_review": score >= 50})

    def test_a_first_small_payment_is_no_risk(self):
        self.check("new", "10.00", 0, "LOW", [])

    def test_more_than_ten_thousand_is_a_high_value(self):
        self.check("new", "10000", 0, "LOW", [])
        self.check("new", 10000.01, 30, "MEDIUM", ["high value"])

    def test_five_transactions_are_a_high_velocity(self):
        self.paid("four", *["10"] * 4)
        self.paid("five", *["10"] * 5)
        self.check("four", "10", 0, "LOW", [])
        self.check("five", "10", 20, "LOW", ["high velocity"])

    def test_more_than_ten_times_the_average_is_unusual(self):
        self.paid("usual", "10", "20")
        self.check("usual", "150", 0, "LOW", [])
        self.check("usual", "150.01", 40, "MEDIUM", ["unusual amount"])

    def test_everything_together_needs_a_review(self):
        self.paid("wild", *["1"] * 7)
        everything = ["high value", "high velocity", "unusual amount"]
        self.check("wild", "20000", 90, "HIGH", everything)
        self.check("wild", "11", 60, "HIGH", everything[1:])
        self.paid("busy", *["5000"] * 6)
        self.check("busy", "20000", 50, "HIGH", everything[:2])

    def test_only_the_ten_newest_count(self):
        self.paid("rich", *["100000"] * 5, *["1"] * 10)
        self.check("rich", "11", 60, "HIGH", ["high velocity", "unusual amount"])
        self.assertEqual(self.function.recent_amounts("rich"), [Decimal(1)] * 10)

    def test_an_average_is_not_rounded(self):
        chance = random.Random(3)
        for _ in range(300):
            recent = [Decimal(chance.randint(1, 10**9)).scaleb(-4) for _ in range(3)]
            limit = sum(recent) * 10
            # The limit is a third of this; one step of the last digit decides.
            amount = (limit / 3).quantize(Decimal("0.0001")) + Decimal("0.0001")
            found = self.function.score(amount, recent)["fraud_indicators"]
            self.assertEqual("unusual amount" in found, amount * 3 > limit)

    def test_what_is_wrong_is_said(self):
        for body, said in [
            ({"amount": 1}, "customer_id is missing"),
            ({"customer_id": "c"}, "amount is missing"),
            ({"customer_id": "c", "amount": "-1"}, "positive"),
            ({"customer_id": 7, "amount": "1"}, "customer_id"),
            ({"customer_id": "4111 1111 1111 1111", "amount": "1"}, "card number"),
            ("[]", "JSON object"),
        ]:
            status, found = self.post(body)
            self.assertEqual(status, 400)
            self.assertIn(said, found["error"])

    def test_a_missing_table_is_a_neutral_fault(self):
        self.table.delete()
        status, found = self.post({"customer_id": "c", "amount": "1"})
        self.assertEqual((status, found), (500, {"error": "Internal error"}))
        self.assertEqual(self.lines()[-1]["error"], "ResourceNotFoundException")


if __name__ == "__main__":
    unittest.main()
