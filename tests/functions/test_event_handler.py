"""Payment events from the queue and from rules."""

import json
import random
import unittest
import uuid
from unittest import mock

import boto3
from support import ENVIRONMENT, FunctionTest, card, make_bucket, stored

SENT = "1767225600000"  # 2026-01-01


def message(body, name="message-1"):
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": name, "body": text, "attributes": {"SentTimestamp": SENT}}


class EventHandler(FunctionTest):
    name = "event_handler"

    def setUp(self):
        super().setUp()
        self.bucket = make_bucket(ENVIRONMENT["AUDIT_BUCKET"])

    def kept(self, event):
        """What is stored of an event."""
        self.bucket.objects.all().delete()
        found = self.call({"Records": [message(event)]})
        self.assertEqual(found, {"batchItemFailures": []})
        [kept] = stored(self.bucket).values()
        return kept

    def test_an_event_is_kept_once_however_often_it_comes(self):
        event = {"id": "e-1", "detail-type": "Payment", "time": "2026-02-03T04:05:06Z"}
        event["detail"] = {"transaction_id": "t-1", "status": "COMPLETED"}
        for _ in range(2):
            found = self.call({"Records": [message(event)]})
            self.assertEqual(found, {"batchItemFailures": []})
        self.assertEqual(stored(self.bucket), {"events/2026/02/03/e-1.json": event})

    def test_a_bare_event_is_named_by_its_message(self):
        self.call({"Records": [message({"type": "payment.completed"}, "m-7")]})
        self.assertEqual(list(stored(self.bucket)), ["events/2026/01/01/m-7.json"])
        self.assertEqual(self.lines()[-1]["event_type"], "payment.completed")

    def test_only_what_failed_goes_back(self):
        bad = ["", "nonsense", "[]", '"x"', '{"id": 7}', '{"id": "a/b"}', '{"detail": []}']
        bad += ['{"time": "yesterday"}', '{"time": 5}', "[" * 5000]
        good = [{"type": "payment"}] * 5
        records = [message(body, f"bad-{place}") for place, body in enumerate(bad)]
        records += [message(body, f"good-{place}") for place, body in enumerate(good)]
        random.Random(5).shuffle(records)
        found = self.call({"Records": records})["batchItemFailures"]
        failed = sorted(item["itemIdentifier"] for item in found)
        self.assertEqual(failed, [f"bad-{place}" for place in range(len(bad))])
        self.assertEqual(len(stored(self.bucket)), len(good))

    def test_storage_that_fails_sends_back_everything(self):
        with mock.patch.dict("os.environ", {"AUDIT_BUCKET": "no-such-bucket"}):
            found = self.call({"Records": [message({}, "a"), message({}, "b")]})
            self.assertEqual(len(found["batchItemFailures"]), 2)
            with self.assertRaises(Exception):
                self.call({"id": "e-1", "detail": {}})

    def test_a_rule_may_call_directly(self):
        event = {"id": "e-2", "detail-type": "Payment", "time": "2026-02-03T04:05:06Z"}
        event["detail"] = {"card_number": 4111111111111111, "amount": 10.5, "code": True}
        self.assertIsNone(self.call(event))
        [kept] = stored(self.bucket).values()
        wanted = {"card_number": "************1111", "amount": 10.5, "code": True}
        self.assertEqual(kept["detail"], wanted)

    def test_the_dead_letter_queue_gets_what_keeps_failing(self):
        queues = boto3.resource("sqs")
        dead = queues.create_queue(QueueName="dead")
        target = dead.attributes["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 2})
        attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "0"}
        queue = queues.create_queue(QueueName="payments", Attributes=attributes)
        queue.send_message(MessageBody='{"type": "payment"}')
        queue.send_message(MessageBody="nonsense")
        for _ in range(4):
            found = queue.receive_messages(MaxNumberOfMessages=10, AttributeNames=["All"])
            records = [
                {"messageId": item.message_id, "body": item.body, "attributes": item.attributes}
                for item in found
            ]
            failed = self.call({"Records": records})["batchItemFailures"]
            failed = {item["itemIdentifier"] for item in failed}
            for item in found:
                if item.message_id not in failed:
                    item.delete()
        self.assertEqual([item.body for item in dead.receive_messages()], ["nonsense"])
        self.assertEqual(len(stored(self.bucket)), 1)

    def test_failed_payments_are_announced(self):
        topic = boto3.resource("sns").create_topic(Name="ops")
        queue = boto3.resource("sqs").create_queue(QueueName="people")
        topic.subscribe(Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
        with mock.patch.dict("os.environ", {"ALERT_TOPIC_ARN": topic.arn}):
            for status in ["COMPLETED", "failed", "DECLINED"]:
                card_number = "4111 1111 1111 1111"
                event = {"detail": {"status": status, "card_number": card_number}}
                self.kept(event)
        said = [
            json.loads(item.body)
            for _ in range(3)
            for item in queue.receive_messages(MaxNumberOfMessages=10)
        ]
        subjects = sorted(item["Subject"] for item in said)
        self.assertEqual(subjects, ["Payment declined (test)", "Payment failed (test)"])
        self.assertNotIn("41111111", str(said))

    def test_card_numbers_are_masked_wherever_they_hide(self):
        for seed in range(100):
            number = card(seed, 13 + seed % 7)
            spaced = " ".join(number[place : place + 4] for place in range(0, len(number), 4))
            event = {
                "card-number": "x" + number,
                "reason": f"paid with {spaced}, thanks",
                "message": [[spaced.replace(" ", "-")], {"pan": int(number)}],
                "code": {number: int(number), "amount": float(number)},
                "customerId": number,
                f"note {number}": number,
                "CVV": "123",
                "securityCode": 123,
                "track2": f";{number}=27121011234567890?",
            }
            kept = json.dumps(self.kept(event))
            for form in [number, spaced, spaced.replace(" ", "-"), "CVV", "ecurity", "track2"]:
                self.assertNotIn(form, kept + self.log.getvalue())
            self.assertIn(number[-4:], kept)

    def test_unknown_fields_are_not_kept(self):
        event = {"detail": {"status": "COMPLETED", "holder": "A. Person", "extra": {"a": [1]}}}
        wanted = {"status": "COMPLETED", "holder": "[not kept]", "extra": "[not kept]"}
        self.assertEqual(self.kept(event)["detail"], wanted)
        with mock.patch.dict("os.environ", {"KEPT_FIELDS": "holder"}):
            self.assertEqual(self.kept(event)["detail"]["holder"], "A. Person")

    def test_a_batch_ends_before_its_time_does(self):
        records = [message({"type": "payment"}, f"m-{place}") for place in range(3)]
        enough = self.function.NEEDED_MS
        self.assertEqual(self.call({"Records": records}, enough), {"batchItemFailures": []})
        found = self.call({"Records": records}, enough - 1)["batchItemFailures"]
        self.assertEqual([item["itemIdentifier"] for item in found], ["m-0", "m-1", "m-2"])

    def test_a_time_that_is_none_is_not_repeated(self):
        with self.assertRaisesRegex(ValueError, "^the time of an event must be in ISO 8601$"):
            self.call({"id": "e-1", "time": "4111111111111111", "detail": {}})
        self.assertNotIn("4111", self.log.getvalue())

    def test_other_numbers_stay(self):
        chance = random.Random(6)
        event = {
            "timestamp": 1767225600123,
            "processed_at": "2026-02-03T04:05:06.123456+00:00",
            "resources": [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(2000)],
            "transaction_id": "99999999-4111-4111-8111-111111111111",
            "amount": "1234.50",
            "account": "123456789012",
        }
        self.assertEqual(self.kept(event), event)


if __name__ == "__main__":
    unittest.main()
