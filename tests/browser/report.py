"""Looks at the page of the cost report in headless Chromium: at three sizes, light and dark, with the rules
of axe. It must load nothing, and be no wider than the window.

    report.py FOLDER    pages and pictures go to FOLDER
"""

import pathlib
import signal
import sys
from datetime import date, timedelta
from decimal import Decimal

# The folders of the functions are packaged as they are: nothing may be left in them.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "functions/cost_report"))

import figures
import layout
from check import SIZES, axe, browser_path, expect, fits, too_long
from playwright.sync_api import sync_playwright

START, END = date(2026, 11, 1), date(2026, 12, 1)
RESOURCES = {
    "rds.cluster/customer": "44.20", "ec2.nat_gateway/1": "32.85", "ecs.service/payment": "21.02",
    "lambda.function/a-name-that-is-as-long-as-a-name-of-a-function-may-be-in-aws-64": "0.004", "": "0.31",
}  # fmt: skip
CALL = "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status " + " ".join(
    f"TagKey=payctl:{key},Status=Active" for key in ("project", "env", "region", "address")
)


def measure(name, before, after):
    before, after = Decimal(before), Decimal(after)
    percent = (before - after) * 100 / before
    return figures.measure_of(
        {"name": name, "before": before, "after": after, "saved": before - after, "percent": percent}
    )


def reports():
    """What a reader may get: with everything, and with what is not known."""
    costs = [((START + timedelta(days=day)).isoformat(), Decimal(day % 7 + 3)) for day in range(30)]
    rows = [
        ("2026-11-01", [env, address], Decimal(cost) * factor)
        for env, factor in (("prod", 6), ("dev", 1), ("pr-123", 0))
        for address, cost in RESOURCES.items()
    ]
    recent = {
        "period": figures.period(START, END), "days": 30, "of": "environment", "unit": "USD",
        "total": figures.money(sum(cost for _, cost in costs)), "tags": None,
        "daily": figures.daily(START, END, costs), "environments": figures.environments(rows),
    }  # fmt: skip
    services = [("EC2 - Other", "120.20", "31.10"), ("AWS WAF", "0", "7"), ("Amazon Relational Database Service", "1", "1")]
    whole = {
        "environment": "dev", "project": "payment", "days": 30, "unit": "USD",
        "before": figures.period(START - timedelta(days=30), START), "after": figures.period(START, END),
        "total": figures.change(Decimal("121.2"), Decimal("39.1")), "optimizations": ["functions on arm64"],
        "services": [{"service": name} | figures.change(Decimal(one), Decimal(two)) for name, one, two in services],
        "recent": recent, "goal": figures.against_goal(Decimal(150), recent), "asked": 5, "asked_cost": "0.05",
        "measures": {
            "region": "us-east-1", "currency": "USD", "prices_of": "2026-01-05", "share": "55.68",
            "steps": [measure("01-memory", "166.98", "165.93"), measure("09-dashboard", "53.45", "56.45")],
            "total": measure("total", "166.98", "56.45"),
        },
        "anomalies": {"found": [figures.anomaly_of({
            "AnomalyStartDate": "2026-11-20", "AnomalyEndDate": "2026-11-22",
            "RootCauses": [{"Service": "EC2 - Other", "Region": "us-east-1", "UsageType": "NatGateway-Bytes"}],
            "Impact": {"MaxImpact": 6.0, "TotalImpact": 6.0, "TotalActualSpend": 10.1, "TotalExpectedSpend": 4.1},
        })]},
    }  # fmt: skip
    account = recent | {
        "of": "account", "tags": {"reason": "Not active as cost allocation tags: payctl:env.", "call": CALL},
        "services": figures.ranked({name: Decimal(cost) for name, _, cost in services}, "service"),
    }  # fmt: skip
    unknown = {"unknown": "AccessDeniedException: the role may not call ce:GetAnomalies"}
    above = {"goal": figures.against_goal(Decimal(20), recent)}
    return {
        "report": whole,
        "above": whole | above,
        "account": whole | {"recent": account, "goal": figures.against_goal(Decimal(20), account), "measures": None},
        "unknown": whole | {part: unknown for part in ("recent", "goal", "measures", "anomalies")} | {"days": 0},
    }


def look(browser, folder, name, report):
    path = (folder / f"cost-{name}.html").resolve()
    path.write_text(layout.html_of(report, "Cost report payment dev 2026-12-01"), "utf-8")
    for scheme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            where = f"{name}, {size}, {scheme}"
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            said = []
            page.on("console", lambda message: said.append(message.text))
            page.on("request", lambda request: said.append(request.url) if request.url != path.as_uri() else None)
            page.goto(path.as_uri())
            page.screenshot(path=folder / f"cost-{name}-{size}-{scheme}.png", full_page=True)
            fits(page, where)
            axe(page, where)
            if name == "report":
                columns = page.locator("[role=img] [title] .bar").count()
                expect(columns == 30, f"{where}: {columns} columns for 30 days")
            expect(not said, f"{where}: the console or the network says {said}")
            page.close()


def main():
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(5 * 60)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        for name, report in reports().items():
            look(browser, pathlib.Path(sys.argv[1]), name, report)
            print(f"{name}: as it should be", flush=True)
        browser.close()


main()
