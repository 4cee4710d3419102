"""The daily cost report."""

import json
import random
import unittest
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from unittest import mock

import boto3
from support import ENVIRONMENT, FunctionTest, make_bucket, stored

TODAY = date(2026, 3, 11)


class Explorer:
    """Cost Explorer: so much a day for each service, by month and in pages."""

    def __init__(self, daily, size=2):
        self.daily, self.size, self.calls = daily, size, []

    def get_cost_and_usage(self, **arguments):
        self.calls.append(arguments)
        start, end = (date.fromisoformat(arguments["TimePeriod"][x]) for x in ("Start", "End"))
        assert start < end, "Cost Explorer refuses an empty period"
        months = {}
        for place in range((end - start).days):
            day = start + timedelta(days=place)
            for service, cost in self.daily(day).items():
                month = months.setdefault(f"{day:%Y-%m}", {})
                month[service] = month.get(service, Decimal(0)) + cost
        rows = [(month, *row) for month in sorted(months) for row in months[month].items()]
        first = int(arguments.get("NextPageToken", 0))
        found = {
            "ResultsByTime": [
                {
                    "TimePeriod": {},
                    "Groups": [
                        {
                            "Keys": [name],
                            "Metrics": {"UnblendedCost": {"Amount": str(cost), "Unit": "USD"}},
                        }
                    ],
                }
                for _, name, cost in rows[first : first + self.size]
            ]
        }
        if first + self.size < len(rows):
            found["NextPageToken"] = str(first + self.size)
        return found


class CostReport(FunctionTest):
    name = "cost_report"

    def report(self, daily, since, today=TODAY):
        self.explorer = Explorer(daily)
        return self.function.report_of(self.explorer, since, today)

    def test_the_same_number_of_days_is_compared_by_service(self):
        since = date(2026, 3, 1)

        def daily(day):
            if day < since:
                return {"AWS Lambda": Decimal("3.00"), "NAT": Decimal("1.08")}
            return {"AWS Lambda": Decimal("1.00"), "EC2": Decimal("0.1008")}

        found = self.report(daily, since)
        self.assertEqual(found["days"], 10)
        self.assertEqual(found["before"], {"Start": "2026-02-19", "End": "2026-03-01"})
        self.assertEqual(found["after"], {"Start": "2026-03-01", "End": "2026-03-11"})
        total = {"before": "40.80", "after": "11.01", "change": "-29.79", "percent": "-73.0"}
        self.assertEqual(found["total"], total)
        rows = {row.pop("service"): row for row in found["services"]}
        lost = {"before": "30.00", "after": "10.00", "change": "-20.00", "percent": "-66.7"}
        self.assertEqual(rows["AWS Lambda"], lost)
        gone = {"before": "10.80", "after": "0.00", "change": "-10.80", "percent": "-100.0"}
        self.assertEqual(rows["NAT"], gone)
        new = {"before": "0.00", "after": "1.01", "change": "1.01", "percent": None}
        self.assertEqual(rows["EC2"], new)
        for call in self.explorer.calls:
            self.assertEqual(call["GroupBy"], [{"Type": "DIMENSION", "Key": "SERVICE"}])

    def test_nothing_is_lost_to_rounding_or_to_pages(self):
        chance = random.Random(7)
        for _ in range(50):
            since = TODAY - timedelta(days=chance.randint(1, 60))
            costs = {}

            def daily(day):
                for place in range(5):
                    cost = Decimal(chance.randint(0, 10**12)).scaleb(-10)
                    costs.setdefault(day, {}).setdefault(f"service {place}", cost)
                return costs[day]

            found = self.report(daily, since)
            for name, is_after in [("before", False), ("after", True)]:
                days = [value for day, value in costs.items() if (day >= since) == is_after]
                exact = sum(sum(day.values()) for day in days)
                self.assertEqual(Decimal(found["total"][name]), round(exact, 2))
                parts = sum(Decimal(row[name]) for row in found["services"])
                self.assertLessEqual(abs(parts - exact), Decimal("0.03"))

    def test_on_the_first_day_there_is_nothing_to_compare(self):
        for since in [TODAY, TODAY + timedelta(days=3)]:
            found = self.report(lambda _: {}, since)
            self.assertEqual((found["days"], self.explorer.calls), (0, []))
            self.assertIn("Nothing to compare", self.function.text_of(found))

    def test_what_cost_explorer_forgot_is_not_asked_for(self):
        found = self.report(lambda _: {"EC2": Decimal(1)}, TODAY - timedelta(days=300))
        self.assertEqual(found["days"], 95)
        self.assertEqual(found["total"]["percent"], "0.0")
        self.assertEqual(found["after"]["End"], TODAY.isoformat())
        with self.assertRaisesRegex(ValueError, "OPTIMIZED_SINCE"):
            self.report(lambda _: {}, TODAY - timedelta(days=395))

    def test_a_zero_has_no_sign(self):
        found = self.function.change(Decimal("0.004"), Decimal("0.001"))
        self.assertEqual(found["change"], "0.00")

    def test_the_report_is_stored_and_sent(self):
        bucket = make_bucket(ENVIRONMENT["LOGS_BUCKET"])
        topic = boto3.resource("sns").create_topic(Name="cost")
        queue = boto3.resource("sqs").create_queue(QueueName="people")
        topic.subscribe(Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
        today = datetime.now(timezone.utc).date()
        since = today - timedelta(days=7)
        costs = Explorer(lambda day: {"EC2": Decimal(2 if day < since else 1)})
        real = boto3.client
        environment = {
            "COST_TOPIC_ARN": topic.arn,
            "OPTIMIZED_SINCE": since.isoformat(),
            "OPTIMIZATIONS": "one NAT instance; arm64 ;",
        }
        with mock.patch.dict("os.environ", environment), mock.patch.object(
            boto3, "client", lambda name, **rest: costs if name == "ce" else real(name, **rest)
        ):
            answer = self.call({})
        [(key, report)] = stored(bucket).items()
        self.assertEqual(key, f"cost-reports/{today:%Y/%m/%d}.json")
        self.assertEqual(report, answer)
        self.assertEqual(report["optimizations"], ["one NAT instance", "arm64"])
        self.assertEqual(report["total"]["percent"], "-50.0")
        [sent] = queue.receive_messages()
        sent = json.loads(sent.body)
        self.assertEqual(sent["Subject"], f"Cost report test {today}")
        self.assertIn("Total: 14.00 -> 7.00 USD, -7.00 (-50.0 %)", sent["Message"])
        self.assertIn("- arm64", sent["Message"])

    def test_moto_is_asked_as_aws_would_be(self):
        found = self.function.report_of(boto3.client("ce"), TODAY - timedelta(days=5), TODAY)
        self.assertEqual(found["days"], 5)

    def test_without_a_day_the_last_thirty_are_compared(self):
        self.assertEqual(self.function.since(TODAY), TODAY - timedelta(days=30))
        self.assertIn("functions from x86_64 to arm64", self.function.optimizations())

    def test_a_failure_is_logged_and_raised(self):
        with mock.patch.dict("os.environ", {"OPTIMIZED_SINCE": "soon"}):
            with self.assertRaises(ValueError):
                self.call({})
        self.assertEqual(self.lines()[-1]["level"], "ERROR")


if __name__ == "__main__":
    unittest.main()
