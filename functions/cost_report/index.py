"""Daily: what the optimisations saved, as Cost Explorer knows it.

Compares the days since the optimisation with the same number of days before it, service by service.
The report is stored in the logs bucket and sent to the cost topic. All amounts are decimals; only what
is shown is rounded.
"""

import json
import numbers
import os
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import boto3
from botocore.config import Config

# Two questions of one page each, the report and the message; more pages are rare.
CONFIG = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
)
CALLS = 4
# Cost Explorer keeps at least 13 months.
HISTORY = 395
DEFAULT_DAYS = 30
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
        report = report_of(boto3.client("ce", config=CONFIG), since(today), today)
        bucket, key = os.environ["LOGS_BUCKET"], f"cost-reports/{today:%Y/%m/%d}.json"
        body = json.dumps(report, indent=2).encode()
        kind = "application/json"
        boto3.client("s3", config=CONFIG).put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
        boto3.client("sns", config=CONFIG).publish(
            TopicArn=os.environ["COST_TOPIC_ARN"],
            Subject=f"Cost report {report['environment']} {today}".strip()[:100],
            Message=text_of(report),
        )
    except Exception as error:
        log("ERROR", "cost report failed", context, **fault(error))
        raise
    log("INFO", "cost report stored", context, bucket=bucket, key=key, total=report["total"])
    return report


def since(today):
    """The day of the optimisation, or 30 days ago where none is set."""
    text = os.environ.get("OPTIMIZED_SINCE", "").strip()
    return date.fromisoformat(text) if text else today - timedelta(days=DEFAULT_DAYS)


def report_of(explorer, optimized, today):
    """The comparison of two periods of the same length. Their ends are exclusive, so today, which is
    not over, is in neither."""
    start = min(optimized, today)
    known = start - (today - timedelta(days=HISTORY))
    if known <= timedelta(0):
        raise ValueError(f"{start}, in OPTIMIZED_SINCE, is before what Cost Explorer remembers")
    length = min(today - start, known)
    before, unit = costs(explorer, start - length, start)
    after, unit_after = costs(explorer, today - length, today)
    services = [
        {"service": name, **change(before.get(name, Decimal(0)), after.get(name, Decimal(0)))}
        for name in before.keys() | after.keys()
    ]
    services.sort(key=lambda row: (Decimal(row["change"]), row["service"]))
    return {
        "environment": os.environ.get("ENVIRONMENT_SUFFIX", ""),
        "optimized_since": optimized.isoformat(),
        "days": length.days,
        "before": period(start - length, start),
        "after": period(today - length, today),
        "unit": unit_after or unit or "USD",
        "total": change(sum(before.values(), Decimal(0)), sum(after.values(), Decimal(0))),
        "services": services,
        "optimizations": optimizations(),
    }


def costs(explorer, start, end):
    """What each service cost in this period, and the currency."""
    found, unit, token = {}, None, {}
    if start == end:
        return found, unit
    while True:
        page = explorer.get_cost_and_usage(
            TimePeriod=period(start, end),
            Granularity="MONTHLY",
            Metrics=["UnblendedCost"],
            GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}],
            **token,
        )
        for month in page["ResultsByTime"]:
            for group in month.get("Groups", []):
                cost = group["Metrics"]["UnblendedCost"]
                name, unit = group["Keys"][0], cost["Unit"]
                found[name] = found.get(name, Decimal(0)) + Decimal(cost["Amount"])
        if not page.get("NextPageToken"):
            return found, unit
        token = {"NextPageToken": page["NextPageToken"]}


def period(start, end):
    """A period as Cost Explorer writes it; the end is not part of it."""
    return {"Start": start.isoformat(), "End": end.isoformat()}


def change(before, after):
    """Money to the cent, and percent of what it was. Without a before there is no percent."""
    percent = f"{(after - before) * 100 / before:.1f}" if before else None
    money = {"before": before, "after": after, "change": after - before}
    # Adding nothing takes the sign off a zero.
    money = {name: str(value.quantize(Decimal("0.01")) + 0) for name, value in money.items()}
    return money | {"percent": percent}


def optimizations():
    """What was done: `OPTIMIZATIONS`, separated by semicolons, or everything the platform knows."""
    named = [item.strip() for item in os.environ.get("OPTIMIZATIONS", "").split(";")]
    return [item for item in named if item] or list(APPLIED)


def text_of(report):
    """The report for people."""
    before, after, unit = report["before"], report["after"], report["unit"]
    lines = [
        f"Before: {before['Start']} to {before['End']}, {report['days']} days, end exclusive",
        f"After:  {after['Start']} to {after['End']}, {report['days']} days, end exclusive",
        "",
        line_of("Total", report["total"], unit),
        *(line_of(row["service"], row, unit) for row in report["services"]),
        "",
        "Optimisations applied:",
        *(f"- {item}" for item in report["optimizations"]),
    ]
    if not report["days"]:
        lines.insert(0, "Nothing to compare yet: no whole day has passed since the optimisation.")
    return "\n".join(lines)


def line_of(name, row, unit):
    """One row of the report."""
    percent = "new" if row["percent"] is None else f"{row['percent']} %"
    return f"{name}: {row['before']} -> {row['after']} {unit}, {row['change']} ({percent})"


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
