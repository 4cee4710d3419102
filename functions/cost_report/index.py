"""Daily: what the environments of a project cost, and what the optimisations saved.

Asks Cost Explorer for the last days by environment and component, compares the days since the
optimisation with the same number of days before it, service by service, and adds the anomalies that AWS
found. The report goes to the cost topic as text; with a chart it goes to a bucket, and as a mail through
SES if a sender is configured. All amounts are decimals; only what is shown is rounded.
"""

import json
import numbers
import os
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from figures import (
    Unknown, against_goal, anomaly_of, change, daily, environments, measures_of, money, period, ranked, sums
)  # fmt: skip
from layout import html_of, text_of

# Six questions of one page each, two objects, a mail and the message; more pages are rare.
CONFIG = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 10
# Before each further page, and before what the report can do without: the time of that page and of what
# comes after it, the two objects, the mail and the message.
NEEDED_MS = 125_000
MOST_PAGES = 10
# What AWS charges for a request to Cost Explorer, in US dollars.
REQUEST_COST = Decimal("0.01")
# Cost Explorer keeps at least 13 months.
HISTORY = 395
DEFAULT_DAYS = 30
PROJECT_TAG, ENV_TAG, REGION_TAG, ADDRESS_TAG = TAGS = (
    "payctl:project", "payctl:env", "payctl:region", "payctl:address",
)  # fmt: skip
ACTIVATE = " ".join(
    ["aws ce update-cost-allocation-tags-status --cost-allocation-tags-status"]
    + [f"TagKey={tag},Status=Active" for tag in TAGS]
)
APPLIED = (
    "processor memory 3008 to 1024 MB",
    "validator memory 3008 to 512 MB",
    "fraud detector memory 3008 to 1024 MB",
    "tables from provisioned capacity to on demand",
    "functions from x86_64 to arm64",
    "several APIs to one",
    "logs kept for 7 days instead of for ever",
    "a NAT instance instead of a NAT gateway in dev",
    "old objects from Standard to Glacier after 30 days",
)


def handler(event, context):
    """Called by a daily rule. A failure is raised: the caller repeats it, and its metric counts it."""
    try:
        today = datetime.now(timezone.utc).date()
        # A setting that is wrong stops the report before a request costs money.
        optimized, goal, mail = since(today), goal_set(), mail_set()
        explorer = Explorer(boto3.client("ce", config=CONFIG), context)
        report = report_of(explorer, optimized, today) | details(explorer, goal, today)
        report["asked"] = explorer.requests
        report["asked_cost"] = str(explorer.requests * REQUEST_COST)
        delivered = deliver(report, mail, today, context)
    except Exception as error:
        log("ERROR", "cost report failed", context, **fault(error))
        raise
    log("INFO", "cost report sent", context, total=report["total"], **delivered)
    return report


def since(today):
    """The day of the optimisation, or 30 days ago where none is set."""
    text = os.environ.get("OPTIMIZED_SINCE", "").strip()
    return date.fromisoformat(text) if text else today - timedelta(days=DEFAULT_DAYS)


def goal_set():
    """What the environment should cost in a month at most, in US dollars, if that is set."""
    text = os.environ.get("COST_GOAL", "").strip()
    if not text:
        return None
    try:
        goal = Decimal(text)
    except InvalidOperation:
        goal = Decimal(0)
    if not goal.is_finite() or goal <= 0:
        raise ValueError(f"COST_GOAL is {text!r}, and must be an amount above zero")
    return goal


def mail_set():
    """Sender and recipients of the mail, if both are set."""
    sender = os.environ.get("COST_MAIL_FROM", "").strip()
    named = os.environ.get("COST_MAIL_TO", "").split(",")
    recipients = [address.strip() for address in named if address.strip()]
    if bool(sender) != bool(recipients):
        raise ValueError("COST_MAIL_FROM and COST_MAIL_TO belong together: set both, or neither")
    return (sender, recipients) if sender else None


class Explorer:
    """Cost Explorer. It reads all pages of an answer or none, counts the requests, and keeps enough
    time for sending the report."""

    def __init__(self, client, context=None):
        self.client, self.context, self.requests = client, context, 0

    def keep_time(self):
        """Stops what the report can do without if the function has too little time left."""
        if self.context and self.context.get_remaining_time_in_millis() < NEEDED_MS:
            raise Unknown("the time of the function was too short to ask; give it 300 seconds")

    def pages(self, ask, token="NextPageToken"):
        """The pages of an answer."""
        more = {}
        for _ in range(MOST_PAGES):
            self.requests += 1
            page = ask(more)
            yield page
            if not page.get(token):
                return
            more = {token: page[token]}
            self.keep_time()
        raise Unknown(f"the answer has more than {MOST_PAGES} pages")

    def costs(self, start, end, keys, granularity="MONTHLY", tags=None):
        """What each group cost in each day or month, as (first day, names, amount), and the currency.
        Credits and refunds are left out: they would hide what the resources cost."""
        credit = {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund"]}}}
        parts = [{"Tags": {"Key": key, "Values": [value]}} for key, value in (tags or {}).items()]
        rows, unit = [], None
        if start == end:
            return rows, unit
        pages = self.pages(
            lambda more: self.client.get_cost_and_usage(
                TimePeriod=period(start, end),
                Granularity=granularity,
                Metrics=["UnblendedCost"],
                Filter={"And": [credit, *parts]} if parts else credit,
                GroupBy=[
                    {"Type": "TAG" if key in TAGS else "DIMENSION", "Key": key} for key in keys
                ],
                **more,
            )
        )
        for page in pages:
            for result in page["ResultsByTime"]:
                for group in result.get("Groups", []):
                    cost = group["Metrics"]["UnblendedCost"]
                    # Cost Explorer writes a tag as `payctl:env$dev`, and a missing one as `payctl:env$`.
                    names = [
                        name.removeprefix(f"{key}$") if key in TAGS else name
                        for key, name in zip(keys, group["Keys"])
                    ]
                    if unit not in (None, cost["Unit"]):
                        raise Unknown(f"the costs are in {unit} and in {cost['Unit']}")
                    unit = cost["Unit"]
                    start_of = result.get("TimePeriod", {}).get("Start", "")
                    rows.append((start_of, names, Decimal(cost["Amount"])))
        return rows, unit

    def tag_states(self):
        """Which of payctl's tags Cost Explorer groups by."""
        self.keep_time()
        pages = self.pages(
            lambda more: self.client.list_cost_allocation_tags(TagKeys=list(TAGS), **more),
            "NextToken",
        )
        return {tag["TagKey"]: tag["Status"] for page in pages for tag in page["CostAllocationTags"]}

    def anomalies(self, start, end):
        """The anomalies of a period, the dearest first."""
        self.keep_time()
        interval = {"StartDate": start.isoformat(), "EndDate": end.isoformat()}
        pages = self.pages(lambda more: self.client.get_anomalies(DateInterval=interval, **more))
        found = [anomaly_of(found) for page in pages for found in page["Anomalies"]]
        return sorted(found, key=lambda row: Decimal(row["impact"]), reverse=True)


def report_of(explorer, optimized, today):
    """The comparison of two periods of the same length. Their ends are exclusive, so today, which is
    not over, is in neither."""
    start = min(optimized, today)
    known = start - (today - timedelta(days=HISTORY))
    if known <= timedelta(0):
        raise ValueError(f"{start}, in OPTIMIZED_SINCE, is before what Cost Explorer remembers")
    length = min(today - start, known)
    before, unit = explorer.costs(start - length, start, ["SERVICE"])
    after, unit_after = explorer.costs(today - length, today, ["SERVICE"])
    before, after = sums(before), sums(after)
    services = [
        {"service": name, **change(before.get(name, Decimal(0)), after.get(name, Decimal(0)))}
        for name in before.keys() | after.keys()
    ]
    services.sort(key=lambda row: (Decimal(row["change"]), row["service"]))
    return {
        "environment": os.environ.get("ENVIRONMENT_SUFFIX", ""),
        "project": os.environ.get("PROJECT", ""),
        "optimized_since": optimized.isoformat(),
        "days": length.days,
        "before": period(start - length, start),
        "after": period(today - length, today),
        "unit": unit_after or unit or "USD",
        "total": change(sum(before.values(), Decimal(0)), sum(after.values(), Decimal(0))),
        "services": services,
        "optimizations": optimizations(),
    }


def details(explorer, goal, today):
    """The last days by environment and component, the goal, the measures and the anomalies. Each of
    them is complete, or says why it is not known."""
    start, found = today - timedelta(days=DEFAULT_DAYS), {}
    recent = part(lambda: recent_of(explorer, start, today))
    found["recent"] = recent
    found["goal"] = part(lambda: against_goal(goal, recent)) if goal else None
    name = os.environ.get("COST_BASELINE", "").strip()
    found["measures"] = part(lambda: measures_of(name, recent)) if name else None
    found["anomalies"] = part(lambda: {"found": explorer.anomalies(start, today)})
    return found


def part(compute):
    """What a part of the report says, or why it is unknown."""
    try:
        return compute()
    except Unknown as error:
        return {"unknown": str(error)}
    except ClientError as error:
        told = error.response["Error"]
        return {"unknown": f"{told['Code']}: {told['Message']}"}
    except BotoCoreError as error:
        return {"unknown": f"{type(error).__name__}: {error}"}


def recent_of(explorer, start, end):
    """The costs of a period: of each environment of the project by its components, and day by day of
    this one. Where Cost Explorer does not know payctl's tags, those of the account by service."""
    explorer.keep_time()
    found = {"period": period(start, end), "days": (end - start).days, "of": "environment"}
    tags = {PROJECT_TAG: os.environ.get("PROJECT", ""), REGION_TAG: os.environ.get("AWS_REGION", "")}
    if all(tags.values()):
        by_day, unit = explorer.costs(start, end, [ENV_TAG], "DAILY", tags)
        if any(names[0] for _, names, _ in by_day):
            explorer.keep_time()
            rows, _ = explorer.costs(start, end, [ENV_TAG, ADDRESS_TAG], "MONTHLY", tags)
            if any(names[1] for _, names, _ in rows):
                own = os.environ.get("ENVIRONMENT_SUFFIX", "")
                own_days = [(day, cost) for day, names, cost in by_day if names[0] == own]
                return found | {
                    "unit": unit,
                    "total": money(sum((cost for _, cost in own_days), Decimal(0))),
                    "daily": daily(start, end, own_days),
                    "environments": environments(rows),
                    "tags": None,
                }
        why = tags_told(explorer)
    else:
        why = {"reason": "The variable PROJECT is not set, so the report does not know whose tags to ask for."}
    rows, unit = explorer.costs(start, end, ["SERVICE"], "DAILY")
    services = ranked(sums(rows), "service")
    return found | {
        "of": "account",
        "unit": unit or "USD",
        "total": money(sum((cost for _, _, cost in rows), Decimal(0))),
        "daily": daily(start, end, [(day, cost) for day, _, cost in rows]),
        "services": services,
        "tags": why,
    }


def tags_told(explorer):
    """Why Cost Explorer shows no costs with payctl's tags, and what to do."""
    try:
        states = explorer.tag_states()
    except ClientError as error:
        told = error.response["Error"]
        return {
            "reason": "Cost Explorer shows no costs with payctl's tags, and does not tell this account whether "
            f"they are active ({told['Code']}: {told['Message']}). In an organisation, only the management "
            "account sees and activates cost allocation tags. If they are not active, run there:",
            "call": ACTIVATE,
        }
    missing = [tag for tag in TAGS if states.get(tag) != "Active"]
    if not missing:
        return {
            "reason": "payctl's tags are active cost allocation tags, and Cost Explorer shows no costs with them "
            "yet. Costs carry tags from the activation on, up to 24 hours later."
        }
    unknown = [tag for tag in missing if tag not in states]
    late = (
        f" AWS does not list {', '.join(unknown)} yet, which takes up to 24 hours after the first resource "
        "with the tag; the call fails until then."
        if unknown
        else ""
    )
    return {
        "reason": f"Not active as cost allocation tags: {', '.join(missing)}.{late} Run this in the management "
        "account of the organisation, or in this account if it has none:",
        "call": ACTIVATE,
    }


def optimizations():
    """What was done: `OPTIMIZATIONS`, separated by semicolons, or everything the platform knows."""
    named = [item.strip() for item in os.environ.get("OPTIMIZATIONS", "").split(";")]
    return [item for item in named if item] or list(APPLIED)


def deliver(report, mail, today, context):
    """Stores the report, mails it, and sends it to the topic last, so that the text can say where the
    rest is. A mail that SES refuses does not stop the text."""
    subject = " ".join(f"Cost report {report['project']} {report['environment']} {today}".split())[:100]
    page, places = html_of(report, subject), {}
    bucket = os.environ.get("LOGS_BUCKET", "")
    if bucket:
        places = {"bucket": bucket, "key": f"cost-reports/{today:%Y/%m/%d}.json"}
        places["page"] = f"cost-reports/{today:%Y/%m/%d}.html"
        store = boto3.client("s3", config=CONFIG)
        body, kind = json.dumps(report, indent=2).encode(), "application/json"
        store.put_object(Bucket=bucket, Key=places["key"], Body=body, ContentType=kind)
        kind = "text/html; charset=utf-8"
        store.put_object(Bucket=bucket, Key=places["page"], Body=page.encode(), ContentType=kind)
    notes = [f"With a chart: s3://{bucket}/{places['page']}"] if bucket else []
    if mail:
        sender, recipients = mail
        try:
            boto3.client("sesv2", config=CONFIG).send_email(
                FromEmailAddress=sender,
                Destination={"ToAddresses": recipients},
                Content={
                    "Simple": {
                        "Subject": {"Data": subject, "Charset": "UTF-8"},
                        "Body": {
                            "Text": {"Data": text_of(report, []), "Charset": "UTF-8"},
                            "Html": {"Data": page, "Charset": "UTF-8"},
                        },
                    }
                },
            )
            places["mailed"] = len(recipients)
        except (ClientError, BotoCoreError) as error:
            log("ERROR", "cost report not mailed", context, **fault(error))
            notes.append(f"SES did not send the mail with the chart: {error}")
    boto3.client("sns", config=CONFIG).publish(
        TopicArn=os.environ["COST_TOPIC_ARN"], Subject=subject, Message=text_of(report, notes)
    )
    return places


# What is below stands in every function, in the same words.

# What has as many digits as a card and is none: UUIDs, and times of this and the last century.
NO_CARD = re.compile(
    "(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?<!\d)(?:19|20)\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?!\d)"
)
# The magnetic stripe, first and second track: the number, the name, and what must not be kept.
TRACK = re.compile(
    r"[%;]?[Bb]?\d{13,19}(?:[=D]|\^[^^\n]{0,40}\^)\d\d(?:0[1-9]|1[0-2])\d{3}[^\s?\"]*\??"
)
# Digits with up to three characters between them that are neither digits nor letters.
DIGITS = re.compile(r"\d(?:[\W_]{0,3}\d){12,}")


def masked(value):
    """The same value without card numbers: in texts, in numbers and in the names of fields."""
    if isinstance(value, dict):
        return {mask(str(name)): masked(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if isinstance(value, (numbers.Real, Decimal)):
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) < 40:
            text = f"{number:f}"
    hidden = mask(text)
    return value if hidden == text else hidden


def mask(text):
    """The same text with stars for all but the last four digits of what may be a card number: any 13
    to 19 digits whose check digit fits, whatever stands between, before and after them."""
    text = TRACK.sub("[track]", text)
    pieces, start = [], 0
    for found in NO_CARD.finditer(text):
        pieces += [DIGITS.sub(stars, text[start : found.start()]), found[0]]
        start = found.end()
    return "".join(pieces) + DIGITS.sub(stars, text[start:])


def stars(found):
    """Stars in a row of digits. No card begins with 0, 1 or 7."""
    signs = list(found[0])
    places = [place for place, sign in enumerate(signs) if sign.isdecimal()]
    digits = [int(signs[place]) for place in places]
    # Of every beginning, the sum of the check with its even and with its odd places doubled.
    sums = [[0], [0]]
    for place, digit in enumerate(digits):
        twice = 2 * digit - (9 if digit > 4 else 0)
        for parity in (0, 1):
            sums[parity].append(sums[parity][-1] + (twice if place % 2 == parity else digit))
    hidden, reach = [], 0
    for first, digit in enumerate(digits):
        for end in range(first + 13, min(first + 19, len(digits)) + 1):
            if digit not in (0, 1, 7) and not (sums[end % 2][end] - sums[end % 2][first]) % 10:
                reach = max(reach, end)
        hidden.append(first < reach)
    for at, place in enumerate(places):
        if hidden[at] and len(hidden[at : at + 5]) == 5 and all(hidden[at : at + 5]):
            signs[place] = "*"
    return "".join(signs)


def fault(error):
    """What the log says of an error: where it came from, and its text."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "detail": str(error), "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line, without card numbers."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(masked(line), default=str), flush=True)
