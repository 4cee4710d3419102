"""`POST /process`, above all that nothing is charged twice."""

import copy
import json
import os
import random
import re
import unittest
import uuid
from datetime import datetime, timezone
from decimal import Decimal
from unittest import mock

import boto3
from botocore.exceptions import ConnectTimeoutError
from support import (
    ENVIRONMENT,
    PAYMENT,
    FunctionTest,
    card,
    load,
    make_bucket,
    make_table,
    stored,
)


class Died(BaseException):
    """The function ends here: no handler catches this."""


class Processing(FunctionTest):
    name = "processing"

    def setUp(self):
        super().setUp()
        self.table = make_table()
        self.bucket = make_bucket(ENVIRONMENT["AUDIT_BUCKET"])

    def rows(self):
        """The transactions; a claim of a key is none."""
        return [row for row in self.table.scan()["Items"] if row["timestamp"] != 0]

    def pay(self, key=None, **changes):
        return self.post(PAYMENT | changes, {"Idempotency-Key": key or str(uuid.uuid4())})

    def claims(self):
        """The states of the claims of keys."""
        return [row["state"] for row in self.table.scan()["Items"] if row["timestamp"] == 0]

    def calls(self):
        """Every AWS call of the function: what to do before and after one is the test's."""
        for client in [self.function.table().meta.client, self.function.storage()]:
            yield client, client._make_api_call

    def test_a_payment_becomes_a_row_and_an_audit_record(self):
        began = datetime.now(timezone.utc)
        status, found = self.pay()
        self.assertEqual(status, 200)
        self.assertTrue(found["message"])
        self.assertEqual(found["status"], "COMPLETED")
        [row] = self.rows()
        uuid.UUID(row["transaction_id"])
        self.assertEqual(found["transaction_id"], row["transaction_id"])
        when = datetime.fromtimestamp(int(row["timestamp"]) / 1000, timezone.utc)
        self.assertLess(abs((when - began).total_seconds()), 60)
        self.assertEqual(datetime.fromisoformat(row["processed_at"]), when)
        wanted = {"customer_id": "customer-1", "amount": Decimal("10.5"), "currency": "USD"}
        wanted |= {"status": "COMPLETED", "card_last_four": "1111"}
        self.assertEqual(row, row | wanted)
        [(key, audit)] = stored(self.bucket).items()
        self.assertEqual(key, f"transactions/{when:%Y/%m/%d}/{row['transaction_id']}.json")
        self.assertEqual(audit["amount"], "10.50")
        rest = {name: value for name, value in row.items() if name != "amount"}
        self.assertEqual(audit, audit | rest)

    def test_the_currency_is_usd_unless_said(self):
        without = {name: value for name, value in PAYMENT.items() if name != "currency"}
        self.assertEqual(self.post(without, {"Idempotency-Key": "key-1"})[0], 200)
        self.assertEqual(self.pay(currency="eur")[0], 200)
        self.assertEqual(sorted(row["currency"] for row in self.rows()), ["EUR", "USD"])

    def test_amounts_arrive_to_the_last_digit(self):
        chance = random.Random(4)
        for _ in range(100):
            amount = Decimal(chance.randint(1, 10**18)).scaleb(-chance.randint(0, 4))
            if amount >= 10**15:
                continue
            body = json.dumps(PAYMENT).replace('"10.50"', f"{amount:f}")
            status, found = self.post(body, {"Idempotency-Key": str(amount)})
            self.assertEqual(status, 200, amount)
            rows = {row["transaction_id"]: row["amount"] for row in self.rows()}
            self.assertEqual(rows[found["transaction_id"]], amount)

    def test_a_payment_needs_a_key_unless_the_environment_says_otherwise(self):
        status, found = self.post(PAYMENT)
        self.assertEqual(status, 400)
        self.assertIn("Idempotency-Key is missing", found["error"])
        self.assertEqual(self.table.scan()["Items"], [])
        with mock.patch.dict("os.environ", {"IDEMPOTENCY_KEY": "optional"}):
            first, second = self.post(PAYMENT), self.post(PAYMENT)
        self.assertNotEqual(first[1]["transaction_id"], second[1]["transaction_id"])
        self.assertEqual(len(self.rows()), 2)

    def test_a_repeated_key_charges_once(self):
        first, again = self.pay("key-1"), self.pay("key-1", amount="10.5")
        self.assertEqual(first, again)
        in_body = self.post(PAYMENT | {"idempotency_key": "key-1"})
        other_case = self.post(PAYMENT, {"IDEMPOTENCY-KEY": "key-1"})
        self.assertEqual([first, first], [in_body, other_case])
        self.assertEqual(len(self.rows()), 1)
        self.assertEqual(len(stored(self.bucket)), 1)
        self.assertEqual(self.lines()[-1]["message"], "payment repeated")

    def test_other_keys_and_other_customers_are_other_payments(self):
        self.pay("key-1")
        self.pay("key-2")
        self.pay("key-1", customer_id="customer-2")
        self.assertEqual(len({row["transaction_id"] for row in self.rows()}), 3)

    def test_a_key_is_not_taken_for_another_payment(self):
        self.pay("key-1")
        # The last card has the same last four digits.
        cards = [card(1, 16), "5000000000001111"]
        changes = [{"amount": "10.51"}, {"currency": "EUR"}]
        changes += [{"card_number": number} for number in cards]
        for change in changes:
            status, found = self.pay("key-1", **change)
            self.assertEqual(status, 422)
            self.assertIn("another payment", found["error"])
        self.assertEqual(len(self.rows()), 1)

    def test_a_claim_stands_in_no_index(self):
        self.pay("key-1")
        [claim] = [row for row in self.table.scan()["Items"] if row["timestamp"] == 0]
        self.assertFalse({"customer_id", "status"} & claim.keys())
        for index, name, value in [
            ("customer-index", "customer_id", "customer-1"),
            ("status-index", "status", "COMPLETED"),
        ]:
            condition = {name: {"AttributeValueList": [value], "ComparisonOperator": "EQ"}}
            found = self.table.query(IndexName=index, KeyConditions=condition)["Items"]
            self.assertEqual(len(found), 1)

    def at_call(self, number, place, act):
        """Runs `act` right before or after one AWS call of the next request; says how many it made."""
        made = []

        def instead(original):
            def call(operation, arguments):
                made.append(operation)
                strikes = len(made) == number
                if strikes and place == "before":
                    act()
                found = original(operation, arguments)
                if strikes and place == "after":
                    act()
                return found

            return call

        patches = [
            mock.patch.object(client, "_make_api_call", instead(original))
            for client, original in self.calls()
        ]
        return made, patches

    def pay_struck(self, key, number, place, act, **changes):
        made, patches = self.at_call(number, place, act)
        with patches[0], patches[1]:
            return self.pay(key, **changes), made

    def test_a_payment_takes_three_calls_and_its_repetition_one(self):
        _, made = self.pay_struck("key-1", 0, "before", None)
        self.assertEqual(made, ["PutItem", "PutObject", "TransactWriteItems"])
        self.assertEqual(len(made), self.function.CALLS)
        _, made = self.pay_struck("key-1", 0, "before", None)
        self.assertEqual(made, ["PutItem"])

    def test_a_request_that_died_anywhere_is_completed_by_the_next(self):
        def die():
            raise Died

        for number in range(1, self.function.CALLS + 1):
            for place in ["before", "after"]:
                for again in ["10.50", "10.5"]:
                    key, before = f"{number}-{place}-{again}", len(self.rows())
                    with self.assertRaises(Died):
                        self.pay_struck(key, number, place, die)
                    # No payment without its audit record, at any time.
                    names = {row["transaction_id"] for row in self.rows()}
                    kept = {re.split("[/.]", name)[-2] for name in stored(self.bucket)}
                    self.assertLessEqual(names, kept)
                    first, second = self.pay(key, amount=again), self.pay(key)
                    self.assertEqual(first, second)
                    self.assertEqual(first[0], 200)
                    self.assertEqual(len(self.rows()), before + 1, key)
                    self.assertEqual(len(stored(self.bucket)), before + 1, key)
        self.assertEqual(set(self.claims()), {"complete"})
        names = {row["transaction_id"] for row in self.rows()}
        kept = {re.split("[/.]", name)[-2] for name in stored(self.bucket)}
        self.assertEqual(kept, names)

    def test_a_call_that_failed_is_a_fault_that_a_repetition_heals(self):
        def fail():
            raise ConnectTimeoutError(endpoint_url="https://example.com")

        for number in range(1, self.function.CALLS + 1):
            for place in ["before", "after"]:
                key, before = f"{number}-{place}", len(self.rows())
                (status, _), _ = self.pay_struck(key, number, place, fail)
                self.assertEqual(status, 500)
                self.assertEqual(self.pay(key)[0], 200)
                self.assertEqual(len(self.rows()), before + 1)
                self.assertEqual(len(stored(self.bucket)), before + 1)

    def test_two_requests_at_the_same_time_charge_once(self):
        for number in range(1, self.function.CALLS + 1):
            for place in ["before", "after"]:
                key, answers = f"{number}-{place}", []
                before = len(self.rows())
                other = lambda: answers.append(self.pay(key))  # noqa: E731
                answers.append(self.pay_struck(key, number, place, other)[0])
                self.assertEqual(answers[0], answers[1], key)
                self.assertEqual(answers[0][0], 200)
                self.assertEqual(len(self.rows()), before + 1, key)
                self.assertEqual(len(stored(self.bucket)), before + 1, key)

    def test_a_failed_audit_is_a_fault_that_a_repetition_heals(self):
        broken = mock.patch.dict("os.environ", {"AUDIT_BUCKET": "no-such-bucket"})
        with broken:
            self.assertEqual(self.pay("key-1"), (500, {"error": "Internal error"}))
        self.assertEqual(self.lines()[-1]["error"], "NoSuchBucket")
        self.assertEqual(self.pay("key-1")[0], 200)
        self.assertEqual((len(self.rows()), len(stored(self.bucket))), (1, 1))

    def test_nothing_is_charged_without_a_place_for_the_audit_record(self):
        with mock.patch.dict("os.environ"):
            del os.environ["AUDIT_BUCKET"]
            self.assertEqual(self.pay()[0], 500)
        self.assertEqual(self.rows(), [])

    def test_a_write_whose_reply_was_lost_is_recognised(self):
        def twice(original):
            def call(operation, arguments):
                original(operation, copy.deepcopy(arguments))
                return original(operation, arguments)

            return call

        patches = [
            mock.patch.object(client, "_make_api_call", twice(original))
            for client, original in self.calls()
        ]
        with patches[0], patches[1]:
            self.assertEqual(self.pay("key-1")[0], 200)
        self.assertEqual((len(self.rows()), len(stored(self.bucket))), (1, 1))
        self.assertEqual(self.claims(), ["complete"])

    def test_a_transaction_that_failed_otherwise_is_a_fault(self):
        self.table.delete()
        self.assertEqual(self.pay("key-1")[0], 500)

    def test_a_card_number_is_no_id(self):
        for value in ["4111111111111111", "c-4111 1111 1111 1111"]:
            status, found = self.pay(customer_id=value)
            self.assertEqual(status, 400)
            self.assertIn("customer_id must not hold", found["error"])
        self.assertEqual(self.table.scan()["Items"], [])

    def test_what_is_wrong_is_said_and_nothing_is_written(self):
        for name in ["customer_id", "amount", "card_number"]:
            without = {key: value for key, value in PAYMENT.items() if key != name}
            status, found = self.post(without, {"Idempotency-Key": "key-1"})
            self.assertEqual((status, found["error"]), (400, f"{name} is missing"))
        for change in [
            {"amount": "0"},
            {"card_number": "123"},
            {"currency": "EURO"},
        ]:
            self.assertEqual(self.pay(**change)[0], 400, change)
        for key in ["x" * 129, 7, None, ""]:
            self.assertEqual(self.post(PAYMENT | {"idempotency_key": key})[0], 400, key)
        self.assertEqual(self.post(PAYMENT, {"idempotency-key": ""})[0], 400)
        self.assertEqual(self.post("nonsense")[0], 400)
        self.assertEqual(self.table.scan()["Items"], [])
        self.assertEqual(stored(self.bucket), {})

    def test_a_card_number_is_neither_stored_nor_said(self):
        numbers = [card(seed, 13 + seed % 7) for seed in range(50)]
        for number in numbers:
            paid = self.pay("key", card_number=number, customer_id=f"c-{number[-7:]}")
            self.assertEqual(paid[0], 200)
            self.pay(card_number=number, amount="nothing")
        kept = json.dumps([self.table.scan()["Items"], stored(self.bucket)], default=str)
        for number in numbers:
            self.assertNotIn(number, kept + self.log.getvalue())


class Events(FunctionTest):
    """With a queue, an event follows each payment."""

    name = "processing"

    def setUp(self):
        super().setUp()
        self.table = make_table()
        make_bucket(ENVIRONMENT["AUDIT_BUCKET"])
        self.queue = boto3.resource("sqs").create_queue(QueueName="payments")
        self.enterContext(mock.patch.dict(os.environ, {"PAYMENT_QUEUE_URL": self.queue.url}))

    def pay(self):
        return self.post(PAYMENT, {"Idempotency-Key": "key-1"})

    def events(self):
        messages = self.queue.receive_messages(MaxNumberOfMessages=10)
        return [json.loads(message.body) for message in messages]

    def test_a_payment_has_an_event(self):
        status, found = self.pay()
        self.assertEqual(status, 200)
        [row] = [row for row in self.table.scan()["Items"] if row["timestamp"] != 0]
        detail = row | {"amount": "10.50", "timestamp": int(row["timestamp"])}
        wanted = {"id": found["transaction_id"], "type": "payment", "time": row["processed_at"]}
        self.assertEqual(self.events(), [wanted | {"detail": detail}])

    def test_the_event_handler_keeps_the_whole_event(self):
        self.pay()
        [event] = self.events()
        self.assertEqual(load("event_handler").kept_of(event), event)

    def test_a_refused_payment_has_none(self):
        self.assertEqual(self.post(PAYMENT | {"amount": 0}, {"Idempotency-Key": "key-1"})[0], 400)
        self.assertEqual(self.events(), [])

    def test_a_repetition_sends_what_was_lost(self):
        client = self.function.queue()
        with mock.patch.object(client, "_make_api_call", side_effect=ConnectTimeoutError(endpoint_url="")):
            self.assertEqual(self.pay()[0], 500)
        self.assertEqual(self.events(), [])
        first, again = self.pay(), self.pay()
        self.assertEqual(first, again)
        ids = {event["id"] for event in self.events()}
        self.assertEqual(ids, {first[1]["transaction_id"]})
        self.assertEqual(len([row for row in self.table.scan()["Items"] if row["timestamp"] != 0]), 1)


if __name__ == "__main__":
    unittest.main()
