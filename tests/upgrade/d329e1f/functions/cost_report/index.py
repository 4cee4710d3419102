"""Daily: what the optimisations saved, as Cost Explorer knows it.

Compares the days since the optimisation with the same number of days before it, service by service.
The report is stored in the logs bucket and sent to the cost topic. All amounts are decimals; only what
is shown is rounded.
"""

import json
import os
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import boto3

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
        report = report_of(boto3.client("ce"), since(today), today)
        bucket, key = os.environ["LOGS_BUCKET"], f"cost-reports/{today:%Y/%m/%d}.json"
        body = json.dumps(report, indent=2).encode()
        kind = "application/json"
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
        boto3.client("sns").publish(
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


# The functions below stand in several of the functions, in the same words.


def fault(error):
    """What the log says of an error: where it came from, and its text without card numbers."""
    trace, places = error.__traceback__, []
    while trace:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    text = re.sub(r"(?:[0-9][ -]?){13,}", "[digits] ", str(error))
    return {"error": type(error).__name__, "detail": text, "at": places}


def log(level, message, context, **fields):
    """One JSON object in one line."""
    request = getattr(context, "aws_request_id", None)
    line = {"level": level, "message": message, "request_id": request, **fields}
    print(json.dumps(line, default=str), flush=True)
