"""The daily cost report.

The shapes of Cost Explorer's answers are these. `GetCostAndUsage` by tag: the example of the AWS CLI,
`awscli/examples/ce/get-cost-and-usage.rst` in aws/aws-cli, with its `Environment$` for costs without the
tag. `ListCostAllocationTags` and `GetAnomalies`: the syntax in the API reference, whose required members
botocore's Stubber checks. The refusal of a member account: word by word from issue 37636 of
hashicorp/terraform-provider-aws. Stubber also holds each request against AWS's model.
"""

import json
import random
import unittest
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import boto3
from botocore.exceptions import ReadTimeoutError
from botocore.stub import ANY, Stubber
from support import ENVIRONMENT, ROOT, Context, FunctionTest, make_bucket

TODAY = date(2026, 3, 11)
PROJECT = {"PROJECT": "payment", "AWS_REGION": "us-east-1", "ENVIRONMENT_SUFFIX": "dev"}
TAGS = ["payctl:project", "payctl:env", "payctl:region", "payctl:address"]
MEMBER = "Failed to list Cost Allocation Tags: Linked account doesn't have access to cost allocation tags."
COMPUTED = {
    "currency": "USD",
    "region": "us-east-1",
    "prices_of": "2026-01-05",
    "total_monthly": 56.45,
    "baseline": {
        "name": "before",
        "total": {"name": "total", "before": 166.98, "after": 56.45, "saved": 110.53, "percent": 66.2},
        "steps": [
            {"name": "01-memory", "before": 166.98, "after": 165.93, "saved": 1.05, "percent": 0.6},
            {"name": "09-dashboard", "before": 53.45, "after": 56.45, "saved": -3.0, "percent": -5.6},
            {"name": "the rest", "before": 0, "after": 0, "saved": 0, "percent": None},
        ],
    },
}


def answer(keys, groups, token=None):
    """An answer in the shape of the AWS CLI's example: groups are (first day, names, amount)."""
    by_day = {}
    for day, names, amount in groups:
        cost = {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}
        by_day.setdefault(day, []).append({"Keys": list(names), "Metrics": cost})
    found = {
        "GroupDefinitions": [
            {"Type": "TAG" if key in TAGS else "DIMENSION", "Key": key} for key in keys
        ],
        "ResultsByTime": [
            {
                "TimePeriod": {"Start": day, "End": day},
                "Total": {},
                "Groups": groups,
                "Estimated": True,
            }
            for day, groups in by_day.items()
        ],
        "DimensionValueAttributes": [],
    }
    return found | ({"NextPageToken": token} if token else {})


def tag(key, status):
    return {"TagKey": key, "Type": "UserDefined", "Status": status, "LastUsedDate": "2026-03-01T00:00:00Z"}


def anomaly(impact, **more):
    return {
        "AnomalyId": "8a2d5a31-63a2-4dcb-ad09-24b2b1d2b6c7",
        "AnomalyStartDate": "2026-03-02T00:00:00Z",
        "AnomalyEndDate": "2026-03-04T00:00:00Z",
        "DimensionValue": "Amazon Elastic Compute Cloud - Compute",
        "RootCauses": [
            {
                "Service": "Amazon Elastic Compute Cloud - Compute",
                "Region": "us-east-1",
                "LinkedAccount": "111111111111",
                "UsageType": "NatGateway-Bytes",
            }
        ],
        "AnomalyScore": {"MaxScore": 0.9, "CurrentScore": 0.1},
        "Impact": {"MaxImpact": impact, "TotalImpact": impact} | more,
        "MonitorArn": "arn:aws:ce::111111111111:anomalymonitor/8a2d5a31-63a2-4dcb-ad09-24b2b1d2b6c7",
    }


class Costs:
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
        rows = [(month, [name], str(cost)) for month in sorted(months) for name, cost in months[month].items()]
        first = int(arguments.get("NextPageToken", 0))
        more = str(first + self.size) if first + self.size < len(rows) else None
        return answer(["SERVICE"], rows[first : first + self.size], more)

    def get_anomalies(self, **arguments):
        return {"Anomalies": []}


class Page(HTMLParser):
    """A page: its text, and whether each element is closed."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.texts.append(text)

    def text(self):
        return " ".join(" ".join(self.texts).split())


class CostReport(FunctionTest):
    name = "cost_report"

    def report(self, daily, since, today=TODAY):
        self.costs = Costs(daily)
        return self.function.report_of(self.function.Explorer(self.costs), since, today)

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
        for call in self.costs.calls:
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
            self.assertEqual((found["days"], self.costs.calls), (0, []))
            self.assertIn("Nothing to compare", self.function.text_of(found))
            self.assertIn("Nothing to compare", Page(self.function.html_of(found, "a report")).text())

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

    def test_half_a_cent_is_rounded_away_from_zero_as_payctl_does(self):
        self.assertEqual(self.function.money(Decimal("0.125")), "0.13")
        self.assertEqual(self.function.money(Decimal("-0.125")), "-0.13")

    def test_moto_is_asked_as_aws_would_be(self):
        explorer = self.function.Explorer(boto3.client("ce"))
        found = self.function.report_of(explorer, TODAY - timedelta(days=5), TODAY)
        self.assertEqual((found["days"], explorer.requests), (5, 2))

    def test_without_a_day_the_last_thirty_are_compared(self):
        self.assertEqual(self.function.since(TODAY), TODAY - timedelta(days=30))
        self.assertIn("functions from x86_64 to arm64", self.function.optimizations())

    def test_a_wrong_setting_is_logged_and_raised_before_anything_is_paid_for(self):
        wrong = [
            {"OPTIMIZED_SINCE": "soon"},
            {"COST_GOAL": "cheap"},
            {"COST_GOAL": "-1"},
            {"COST_GOAL": "NaN"},
            {"COST_MAIL_FROM": "cost@example.com"},
            {"COST_MAIL_TO": "people@example.com"},
        ]
        for environment in wrong:
            with self.subTest(environment), mock.patch.dict("os.environ", environment):
                with mock.patch.object(boto3, "client", side_effect=AssertionError("a call")):
                    with self.assertRaises(ValueError):
                        self.call({})
            self.assertEqual(self.lines()[-1]["level"], "ERROR")


class Details(FunctionTest):
    """What a report says beside the comparison."""

    name = "cost_report"
    environment = PROJECT

    def setUp(self):
        super().setUp()
        client = boto3.client("ce", region_name="us-east-1")
        self.stub = self.enterContext(Stubber(client))
        self.explorer = self.function.Explorer(client, Context(300_000))

    def asked(self, keys, groups, granularity, tagged, token=None, next_token=None):
        """One page that is asked for."""
        credit = {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}}
        own = [
            {"Tags": {"Key": "payctl:project", "Values": ["payment"]}},
            {"Tags": {"Key": "payctl:region", "Values": ["us-east-1"]}},
        ]
        expected = {
            "TimePeriod": {"Start": "2026-02-09", "End": "2026-03-11"},
            "Granularity": granularity,
            "Metrics": ["UnblendedCost"],
            "Filter": {"And": [credit, *own]} if tagged else credit,
            "GroupBy": [{"Type": "TAG" if key in TAGS else "DIMENSION", "Key": key} for key in keys],
        } | ({"NextPageToken": token} if token else {})
        self.stub.add_response("get_cost_and_usage", answer(keys, groups, next_token), expected)

    def days(self, groups):
        self.asked(["payctl:env"], groups, "DAILY", True)

    def services(self, groups):
        self.asked(["SERVICE"], groups, "DAILY", False)

    def quiet(self):
        self.stub.add_response("get_anomalies", {"Anomalies": []}, {"DateInterval": ANY})

    def details(self, goal=None):
        found = self.function.details(self.explorer, goal, TODAY)
        self.stub.assert_no_pending_responses()
        # The JSON of the report takes all of it.
        json.dumps(found)
        return found

    def texts(self, found):
        """The text and the page of a report with these details."""
        no_change = self.function.change(Decimal(1), Decimal(1))
        whole = found | {
            "environment": "dev", "project": "payment", "days": 30, "unit": "USD", "total": no_change,
            "before": {"Start": "a", "End": "b"}, "after": {"Start": "b", "End": "c"},
            "services": [], "optimizations": ["arm64"], "asked": 5, "asked_cost": "0.05",
        }  # fmt: skip
        return self.function.text_of(whole), Page(self.function.html_of(whole, "Cost report")).text()

    def both(self, found, *said):
        for text in self.texts(found):
            for words in said:
                self.assertIn(words, text)

    def tagged(self):
        self.days([
            ("2026-02-09", ["payctl:env$dev"], "1.50"),
            ("2026-02-09", ["payctl:env$prod"], "20.00"),
            ("2026-02-10", ["payctl:env$dev"], "2.2537"),
            ("2026-02-10", ["payctl:env$"], "0.01"),
        ])  # fmt: skip
        self.asked(["payctl:env", "payctl:address"], [
            ("2026-02-09", ["payctl:env$dev", "payctl:address$ec2.nat_gateway/1"], "3.10"),
            ("2026-02-09", ["payctl:env$dev", "payctl:address$lambda.function/a"], "0.30"),
            ("2026-03-01", ["payctl:env$dev", "payctl:address$lambda.function/b"], "0.25"),
            ("2026-03-01", ["payctl:env$dev", "payctl:address$lambda.function/a"], "0.10"),
            ("2026-03-01", ["payctl:env$dev", "payctl:address$"], "0.0037"),
        ], "MONTHLY", True, next_token="p2")  # fmt: skip
        self.asked(["payctl:env", "payctl:address"], [
            ("2026-03-01", ["payctl:env$prod", "payctl:address$rds.cluster/customer"], "20.00"),
        ], "MONTHLY", True, token="p2")  # fmt: skip

    def test_environments_and_components_come_from_the_tags(self):
        self.tagged()
        self.quiet()
        found = self.details()
        recent = found["recent"]
        self.assertEqual((recent["of"], recent["total"], recent["tags"]), ("environment", "3.75", None))
        self.assertEqual([row["environment"] for row in recent["environments"]], ["prod", "dev"])
        dev = recent["environments"][1]
        self.assertEqual(dev["cost"], "3.75")
        self.assertEqual(dev["components"], [
            {"component": "ec2.nat_gateway", "cost": "3.10"},
            {"component": "lambda.function", "cost": "0.65"},
            {"component": "", "cost": "0.00"},
        ])  # fmt: skip
        self.assertEqual(dev["resources"][1], {"address": "lambda.function/a", "cost": "0.40"})
        self.assertEqual(len(recent["daily"]), 30)
        self.assertEqual(recent["daily"][0], {"day": "2026-02-09", "cost": "1.50"})
        self.assertEqual(recent["daily"][29], {"day": "2026-03-10", "cost": "0.00"})
        # Three pages and the anomalies; nobody asks for the state of tags that work.
        self.assertEqual(self.explorer.requests, 4)
        self.both(found, "Components of dev", "ec2.nat_gateway", "(without the tag)", "lambda.function/b", "20.00")

    def test_tags_that_are_not_active_are_named_with_the_call(self):
        self.days([("2026-02-09", ["payctl:env$"], "9.00")])
        states = [tag("payctl:project", "Active"), tag("payctl:env", "Inactive"), tag("payctl:region", "Inactive")]
        self.stub.add_response(
            "list_cost_allocation_tags",
            {"CostAllocationTags": states[:1], "NextToken": "more"},
            {"TagKeys": TAGS},
        )
        self.stub.add_response(
            "list_cost_allocation_tags",
            {"CostAllocationTags": states[1:]},
            {"TagKeys": TAGS, "NextToken": "more"},
        )
        self.services([
            ("2026-02-09", ["AWS Lambda"], "9.004"),
            ("2026-02-10", ["Amazon DynamoDB"], "1.00"),
        ])  # fmt: skip
        self.quiet()
        found = self.details()
        recent = found["recent"]
        self.assertEqual((recent["of"], recent["total"]), ("account", "10.00"))
        self.assertEqual(recent["services"][0], {"service": "AWS Lambda", "cost": "9.00"})
        self.assertIn("payctl:env, payctl:region, payctl:address.", recent["tags"]["reason"])
        self.assertIn("AWS does not list payctl:address yet", recent["tags"]["reason"])
        self.both(
            found,
            "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
            "TagKey=payctl:project,Status=Active TagKey=payctl:env,Status=Active "
            "TagKey=payctl:region,Status=Active TagKey=payctl:address,Status=Active",
            "AWS Lambda",
        )

    def test_active_tags_without_costs_need_time(self):
        self.days([])
        states = [tag(key, "Active") for key in TAGS]
        self.stub.add_response("list_cost_allocation_tags", {"CostAllocationTags": states}, {"TagKeys": TAGS})
        self.services([])
        self.quiet()
        found = self.details()
        self.assertIn("from the activation on", found["recent"]["tags"]["reason"])
        self.assertNotIn("call", found["recent"]["tags"])
        self.both(found, "0.00 USD")

    def test_a_tag_of_addresses_that_is_not_active_is_told(self):
        self.days([("2026-02-09", ["payctl:env$dev"], "9.00")])
        rows = [("2026-02-09", ["payctl:env$dev", "payctl:address$"], "9.00")]
        self.asked(["payctl:env", "payctl:address"], rows, "MONTHLY", True)
        states = [tag(key, "Active") for key in TAGS[:3]] + [tag(TAGS[3], "Inactive")]
        self.stub.add_response("list_cost_allocation_tags", {"CostAllocationTags": states}, {"TagKeys": TAGS})
        self.services([("2026-02-09", ["AWS Lambda"], "9.00")])
        self.quiet()
        reason = self.details()["recent"]["tags"]["reason"]
        self.assertTrue(reason.startswith("Not active as cost allocation tags: payctl:address."), reason)

    def test_a_member_account_learns_who_can_activate_the_tags(self):
        self.days([("2026-02-09", ["payctl:env$"], "9.00")])
        self.stub.add_client_error("list_cost_allocation_tags", "AccessDeniedException", MEMBER, 400)
        self.services([("2026-02-09", ["AWS Lambda"], "9.00")])
        self.quiet()
        found = self.details()
        self.assertEqual(found["recent"]["total"], "9.00")
        self.both(found, "only the management account", "Linked account doesn", "update-cost-allocation-tags-status")

    def test_without_a_project_only_the_account_is_known(self):
        with mock.patch.dict("os.environ", {"PROJECT": ""}):
            self.services([("2026-02-09", ["AWS Lambda"], "9.00")])
            self.quiet()
            found = self.details()
        self.both(found, "The variable PROJECT is not set", "9.00 USD")

    def test_an_environment_without_costs_is_told(self):
        self.days([("2026-02-09", ["payctl:env$prod"], "9.00")])
        rows = [("2026-02-09", ["payctl:env$prod", "payctl:address$kms.key/main"], "9.00")]
        self.asked(["payctl:env", "payctl:address"], rows, "MONTHLY", True)
        self.quiet()
        self.both(self.details(), "shows no costs of dev", "prod", "0.00 USD")

    def test_a_refusal_leaves_out_its_part_alone(self):
        denied = "User: arn:aws:sts::111111111111:assumed-role/r/f is not authorized to perform: ce:GetAnomalies"
        self.tagged()
        self.stub.add_client_error("get_anomalies", "AccessDeniedException", denied, 400)
        found = self.details()
        self.assertEqual(found["recent"]["total"], "3.75")
        self.both(found, f"Not known. AccessDeniedException: {denied}"[4:])
        for error in ["LimitExceededException", "DataUnavailableException", "BillExpirationException"]:
            self.stub.add_client_error("get_cost_and_usage", error, "told by AWS", 400)
            self.quiet()
            self.both(self.details(Decimal(300)), f"{error}: told by AWS", "not compared", "AWS reports none")

    def test_a_timeout_leaves_out_its_part_alone(self):
        slow = ReadTimeoutError(endpoint_url="https://ce.us-east-1.amazonaws.com")
        with mock.patch.object(self.explorer.client, "get_cost_and_usage", side_effect=slow):
            self.quiet()
            self.both(self.details(), "ReadTimeoutError", "AWS reports none")

    def test_too_little_time_costs_the_details_and_not_the_report(self):
        self.explorer.context = Context(124_000)
        found = self.details(Decimal(300))
        self.assertEqual(self.explorer.requests, 0)
        self.both(found, "give it 300 seconds", "not compared", "Anomalies")

    def test_part_of_an_answer_is_never_a_sum(self):
        pages = self.function.MOST_PAGES
        for page in range(pages):
            token, more = f"p{page}" if page else None, f"p{page + 1}"
            rows = [("2026-02-09", ["payctl:env$dev"], "1.00")]
            self.asked(["payctl:env"], rows, "DAILY", True, token=token, next_token=more)
        self.quiet()
        found = self.details()
        self.assertEqual(found["recent"], {"unknown": f"the answer has more than {pages} pages"})
        self.assertEqual(self.explorer.requests, pages + 1)

    def test_the_goal_is_compared_for_as_many_days(self):
        self.tagged()
        self.quiet()
        found = self.details(Decimal("3.80"))
        # 3.80 * 30 * 24 / 730 = 3.7479...
        self.assertEqual(found["goal"], {
            "monthly": "3.80", "share": "3.75", "total": "3.75", "percent": "100.1", "of": "environment",
            "within": False,
        })  # fmt: skip
        self.both(found, "Goal: 3.80 USD a month, which is 3.75 for 30 days. Spent: 3.75, 100.1 % of it.", "Above the goal.")

    def test_an_account_proves_only_that_the_goal_is_kept(self):
        for total, said in [("9.00", "so the environment is within its goal"), ("900.00", "does not say")]:
            with mock.patch.dict("os.environ", {"PROJECT": ""}):
                self.services([("2026-02-09", ["AWS Lambda"], total)])
                self.quiet()
                self.both(self.details(Decimal(300)), said)

    def test_anomalies_are_shown_with_the_dearest_first(self):
        self.tagged()
        interval = {"DateInterval": {"StartDate": "2026-02-09", "EndDate": "2026-03-11"}}
        self.stub.add_response("get_anomalies", {"Anomalies": [anomaly(3.1)], "NextPageToken": "p2"}, interval)
        dear = anomaly(1842.305, TotalActualSpend=5980.12, TotalExpectedSpend=4137.815)
        bare = {key: dear[key] for key in ("AnomalyId", "AnomalyScore", "MonitorArn")} | {"Impact": {"MaxImpact": 5.0}}
        self.stub.add_response("get_anomalies", {"Anomalies": [dear, bare]}, interval | {"NextPageToken": "p2"})
        found = self.details()
        self.assertEqual([row["impact"] for row in found["anomalies"]["found"]], ["1842.31", "5.00", "3.10"])
        self.both(
            found,
            "Amazon Elastic Compute Cloud - Compute (us-east-1, NatGateway-Bytes, 111111111111), "
            "2026-03-02 to 2026-03-04: 1,842.31 USD (5,980.12 instead of 4,137.82)",
        )

    def baseline(self, computed):
        """The details with this file of payctl in the package."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "computed.json"
            if computed is not None:
                path.write_text(computed if isinstance(computed, str) else json.dumps(computed))
            self.tagged()
            self.quiet()
            with mock.patch.dict("os.environ", {"COST_BASELINE": str(path)}):
                return self.details()

    def test_the_saving_of_each_measure_stands_beside_what_was_paid(self):
        found = self.baseline(COMPUTED)
        measures = found["measures"]
        self.assertEqual(measures["steps"][0], {
            "name": "01-memory", "before": "166.98", "after": "165.93", "saved": "1.05", "percent": "0.6",
        })  # fmt: skip
        # 56.45 * 30 * 24 / 730 = 55.676...
        self.both(
            found, "01-memory", "1.05", "-3.00", "together", "110.53", "prices of 2026-01-05",
            "Computed after the measures: 55.68 for 30 days. Paid: 3.75 by the environment.",
        )  # fmt: skip
        for text in self.texts(found):
            self.assertNotIn("arm64", text, "a list without numbers beside one with numbers")

    def test_a_saving_that_is_not_computed_is_not_shown(self):
        broken = [None, "", "[]", "{}", '{"baseline": {}}', COMPUTED | {"total_monthly": "56"}, COMPUTED | {"baseline": {}}]
        for computed in broken:
            with self.subTest(computed):
                found = self.baseline(computed)
                self.assertIn("computed.json, the file in COST_BASELINE", found["measures"]["unknown"])
                self.both(found, "not known. cannot use"[4:], "arm64")

    def test_a_saving_without_prices_is_named(self):
        steps = [step | {"saved": None, "percent": None} for step in COMPUTED["baseline"]["steps"]]
        found = self.baseline(COMPUTED | {"baseline": COMPUTED["baseline"] | {"steps": steps}})
        self.assertIn("01-memory has items without a price", found["measures"]["unknown"])

    def test_no_text_becomes_markup(self):
        evil = '<img src=x onerror="alert(1)">&amp;'
        self.days([("2026-02-09", [f"payctl:env${evil}"], "1.00"), ("2026-02-09", ["payctl:env$dev"], "1.00")])
        rows = [("2026-02-09", [f"payctl:env${name}", f"payctl:address${evil}"], "1.00") for name in ("dev", evil)]
        self.asked(["payctl:env", "payctl:address"], rows, "MONTHLY", True)
        self.stub.add_client_error("get_anomalies", "AccessDeniedException", evil, 400)
        text, page = self.texts(self.details())
        self.assertIn(evil, text)
        self.assertIn(evil, page)

    def test_the_page_is_whole_alone_and_small_however_much_there_is(self):
        names = [f"pr-{number}-{'x' * 40}" for number in range(60)] + ["dev"]
        start = date(2026, 2, 9)
        days = [(start + timedelta(days=place)).isoformat() for place in range(30)]
        self.days([(day, [f"payctl:env${name}"], "1.00") for day in days for name in names])
        rows = [
            (days[0], [f"payctl:env${name}", f"payctl:address$kind.{place}/{'y' * 60}"], "1.00")
            for name in names
            for place in range(40)
        ]
        self.asked(["payctl:env", "payctl:address"], rows, "MONTHLY", True)
        many = [anomaly(float(place), TotalActualSpend=1.0, TotalExpectedSpend=1.0) for place in range(200)]
        self.stub.add_response("get_anomalies", {"Anomalies": many}, {"DateInterval": ANY})
        found = self.details(Decimal(300))
        services = [
            {"service": f"{'s' * 80}{place}"} | self.function.change(Decimal(2), Decimal(1)) for place in range(150)
        ]
        whole = found | {
            "environment": "dev", "project": "payment", "days": 30, "unit": "USD",
            "total": self.function.change(Decimal(2), Decimal(1)), "services": services, "optimizations": [],
            "before": {"Start": "a", "End": "b"}, "after": {"Start": "b", "End": "c"}, "asked": 5, "asked_cost": "0.05",
        }  # fmt: skip
        html = self.function.html_of(whole, "Cost report")
        # Gmail cuts mails at 102 KB.
        self.assertLess(len(html.encode()), 100_000)
        page = Page(html)
        self.assertIn("46 others", page.text())
        self.assertIn("and 185 more", page.text())
        self.assertFalse([tag for tag, _ in page.tags if tag in ("script", "img", "link", "iframe", "svg", "a")])
        for tag, attributes in page.tags:
            self.assertFalse({"src", "href", "onclick", "onload"} & attributes.keys(), tag)
        self.assertNotRegex(html, r"url\(|https?:|@import")
        # SNS takes 256 KB.
        self.assertLess(len(self.function.text_of(whole).encode()), 256 * 1024)

    def test_a_column_is_as_high_as_its_day(self):
        self.tagged()
        self.quiet()
        chart = self.function.html_of.__globals__["chart"]
        html = chart(self.details()["recent"]["daily"], "USD")
        heights = [int(found["height"]) for tag, found in Page(html).tags if found.get("class") == "bar"]
        # 1.50 of 2.25, and 28 days without costs have no column.
        self.assertEqual(heights, [64, 96])
        self.assertIn("the dearest is 2026-02-10 with 2.25 USD", html)
        self.assertNotIn("bar", chart([{"day": "2026-02-09", "cost": "0.00"}], "USD"))


class Delivery(FunctionTest):
    """Where a report goes."""

    name = "cost_report"
    environment = PROJECT

    def setUp(self):
        super().setUp()
        self.bucket = make_bucket(ENVIRONMENT["LOGS_BUCKET"])
        topic = boto3.resource("sns").create_topic(Name="cost")
        self.queue = boto3.resource("sqs").create_queue(QueueName="people")
        topic.subscribe(Protocol="sqs", Endpoint=self.queue.attributes["QueueArn"])
        self.today = datetime.now(timezone.utc).date()
        since = self.today - timedelta(days=7)
        self.costs = Costs(lambda day: {"EC2": Decimal(2 if day < since else 1)})
        real = boto3.client
        environment = {
            "COST_TOPIC_ARN": topic.arn,
            "OPTIMIZED_SINCE": since.isoformat(),
            "OPTIMIZATIONS": "one NAT instance; arm64 ;",
            "PROJECT": "",
        }
        self.enterContext(mock.patch.dict("os.environ", environment))
        client = mock.patch.object(
            boto3, "client", lambda name, **rest: self.costs if name == "ce" else real(name, **rest)
        )
        self.enterContext(client)

    def sent(self):
        [sent] = self.queue.receive_messages()
        return json.loads(sent.body)

    def stored(self):
        return {item.key: item.get() for item in self.bucket.objects.all()}

    def test_the_report_is_stored_and_sent(self):
        answer = self.call({}, left=300_000)
        stored, day = self.stored(), f"{self.today:%Y/%m/%d}"
        self.assertEqual(set(stored), {f"cost-reports/{day}.json", f"cost-reports/{day}.html"})
        self.assertEqual(json.loads(stored[f"cost-reports/{day}.json"]["Body"].read()), answer)
        page = stored[f"cost-reports/{day}.html"]
        self.assertEqual(page["ContentType"], "text/html; charset=utf-8")
        self.assertIn("The account before and after", Page(page["Body"].read().decode()).text())
        self.assertEqual(answer["optimizations"], ["one NAT instance", "arm64"])
        self.assertEqual(answer["total"]["percent"], "-50.0")
        self.assertEqual(answer["asked_cost"], f"0.{answer['asked']:02}")
        sent = self.sent()
        self.assertEqual(sent["Subject"], f"Cost report dev {self.today}")
        self.assertIn("Total: 14.00 -> 7.00 USD, -7.00 (-50.0 %)", sent["Message"])
        self.assertIn("- arm64", sent["Message"])
        self.assertIn(f"With a chart: s3://{self.bucket.name}/cost-reports/{day}.html", sent["Message"])
        self.assertEqual(self.lines()[-1]["level"], "INFO")

    def test_without_a_bucket_the_topic_alone_gets_it(self):
        with mock.patch.dict("os.environ", {"LOGS_BUCKET": ""}):
            self.call({}, left=300_000)
        self.assertEqual(self.stored(), {})
        self.assertNotIn("s3://", self.sent()["Message"])

    def test_a_mail_has_the_text_and_the_page(self):
        mail = {"COST_MAIL_FROM": "cost@example.com", "COST_MAIL_TO": "ada@example.com, ops@example.com"}
        boto3.client("sesv2").create_email_identity(EmailIdentity="example.com")
        given = {}
        make = boto3.client

        def client(name, **rest):
            made = make(name, **rest)
            if name == "sesv2":
                real = made.send_email
                made.send_email = lambda **all: (given.update(all), real(**all))[1]
            return made

        with mock.patch.dict("os.environ", mail), mock.patch.object(boto3, "client", client):
            self.call({}, left=300_000)
        self.assertEqual(given["FromEmailAddress"], "cost@example.com")
        self.assertEqual(given["Destination"], {"ToAddresses": ["ada@example.com", "ops@example.com"]})
        body = given["Content"]["Simple"]["Body"]
        self.assertIn("Total: 14.00 -> 7.00 USD", body["Text"]["Data"])
        self.assertIn("The account before and after", Page(body["Html"]["Data"]).text())
        self.assertNotIn("SES did not", self.sent()["Message"])
        line = self.lines()[-1]
        self.assertEqual((line["level"], line["mailed"]), ("INFO", 2))

    def test_a_mail_that_ses_refuses_does_not_stop_the_text(self):
        # Nobody verified the address, and moto refuses as AWS does.
        mail = {"COST_MAIL_FROM": "cost@example.com", "COST_MAIL_TO": "ada@example.com"}
        with mock.patch.dict("os.environ", mail):
            self.call({}, left=300_000)
        message = self.sent()["Message"]
        self.assertIn("SES did not send the mail with the chart", message)
        self.assertIn("not verified", message)
        self.assertEqual([line["level"] for line in self.lines()], ["ERROR", "INFO"])

    def test_a_report_without_costs_is_not_sent(self):
        with mock.patch.object(self.costs, "get_cost_and_usage", side_effect=KeyError("ResultsByTime")):
            with self.assertRaises(KeyError):
                self.call({}, left=300_000)
        self.assertEqual((self.stored(), self.queue.receive_messages()), ({}, []))


class Package(FunctionTest):
    name = "cost_report"

    def test_the_function_reads_the_computations_in_its_package(self):
        """`tests/it/cost.rs` computes them anew; here each has what the function reads."""
        paths = sorted((ROOT / "cost_report/computed").iterdir())
        self.assertTrue(paths)
        for path in paths:
            name = str(path.relative_to(ROOT / "cost_report"))
            found = self.function.measures_of(name, {"days": 30})
            self.assertGreater(len(found["steps"]), 9)
            self.assertEqual(found["steps"][0]["name"], "01-memory")
            self.assertEqual(found["total"]["after"], found["steps"][-1]["after"])


if __name__ == "__main__":
    unittest.main()
