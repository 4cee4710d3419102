"""The figures of the report: decimals until they are shown, then texts with cents."""

import json
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

# payctl counts 730 hours in a month.
MONTH_HOURS, DAY_HOURS = 730, 24


class Unknown(Exception):
    """A part of the report that cannot be computed, with the reason."""


def environments(rows):
    """The environments of a project, the dearest first, each with its components and its dearest
    resources. A component is a kind of resource, as in payctl's addresses."""
    by_env = {}
    for _, (env, address), cost in rows:
        known = by_env.setdefault(env, {})
        known[address] = known.get(address, Decimal(0)) + cost
    found = []
    for env, costs in by_env.items():
        components = {}
        for address, cost in costs.items():
            kind = address.partition("/")[0]
            components[kind] = components.get(kind, Decimal(0)) + cost
        resources = {address: cost for address, cost in costs.items() if address}
        found.append(
            {
                "environment": env,
                "cost": money(sum(costs.values(), Decimal(0))),
                "components": ranked(components, "component"),
                "resources": ranked(resources, "address")[:10],
            }
        )
    return sorted(found, key=lambda row: (-Decimal(row["cost"]), row["environment"]))


def against_goal(goal, recent):
    """The total of the last days against the goal for as many days. The goal is that of the environment;
    if only the account's total is known, it proves something only within the goal."""
    if "unknown" in recent:
        raise Unknown(recent["unknown"])
    share, total = share_of(goal, recent["days"]), Decimal(recent["total"])
    return {
        "monthly": money(goal),
        "share": money(share),
        "total": recent["total"],
        "percent": f"{total * 100 / share:.1f}",
        "of": recent["of"],
        "within": total <= share,
    }


def measures_of(name, recent):
    """What `payctl cost --baseline` computed, from a file in the package, beside what was paid."""
    path = Path(__file__).parent / name
    try:
        computed = json.loads(path.read_text("utf-8"), parse_float=Decimal, parse_int=Decimal)
        baseline, monthly = computed["baseline"], computed["total_monthly"]
        steps = [measure_of(row) for row in baseline["steps"]]
        found = {
            "file": name,
            "region": computed["region"],
            "currency": computed["currency"],
            "prices_of": computed["prices_of"],
            "steps": steps,
            "total": measure_of(baseline["total"]),
            "share": None,
        }
        if "unknown" not in recent:
            found["share"] = money(share_of(monthly, recent["days"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise Unknown(
            f"cannot use {name}, the file in COST_BASELINE ({type(error).__name__}: {error}); write it with "
            "`payctl cost --env ENV --baseline DIR --json`"
        ) from error
    return found


def measure_of(row):
    """A step of the computation. payctl knows no saving where a price is missing on one side."""
    if row["saved"] is None:
        raise ValueError(f"{row['name']} has items without a price")
    found = {key: money(row[key]) for key in ("before", "after", "saved")}
    percent = row["percent"]
    return {"name": row["name"], **found, "percent": None if percent is None else f"{percent:.1f}"}


def anomaly_of(found):
    """An anomaly in a row: the service that it is about, when, and what it cost. Amounts come as numbers
    of JSON, and a missing one stays unknown."""
    impact, cause = found["Impact"], (found.get("RootCauses") or [{}])[0]

    def amount(name):
        return None if impact.get(name) is None else money(Decimal(str(impact[name])))

    return {
        "service": cause.get("Service") or found.get("DimensionValue") or "unknown",
        "region": cause.get("Region"),
        "usage": cause.get("UsageType"),
        "account": cause.get("LinkedAccount"),
        "start": (found.get("AnomalyStartDate") or "")[:10],
        "end": (found.get("AnomalyEndDate") or "")[:10],
        "impact": amount("TotalImpact") or amount("MaxImpact"),
        "actual": amount("TotalActualSpend"),
        "expected": amount("TotalExpectedSpend"),
    }


def period(start, end):
    """A period as Cost Explorer writes it; the end is not part of it."""
    return {"Start": start.isoformat(), "End": end.isoformat()}


def daily(start, end, costs):
    """The cost of each day of a period, those without any included."""
    days = {(start + timedelta(days=place)).isoformat(): Decimal(0) for place in range((end - start).days)}
    for day, cost in costs:
        days[day] = days.get(day, Decimal(0)) + cost
    return [{"day": day, "cost": money(cost)} for day, cost in days.items()]


def sums(rows):
    """What each group cost over all days, by its first name."""
    found = {}
    for _, names, cost in rows:
        found[names[0]] = found.get(names[0], Decimal(0)) + cost
    return found


def ranked(costs, key):
    """Rows with a name and a cost, the dearest first."""
    rows = sorted(costs.items(), key=lambda row: (-row[1], row[0]))
    return [{key: name, "cost": money(cost)} for name, cost in rows]


def share_of(monthly, days):
    """The part of a monthly amount that belongs to so many days."""
    return monthly * days * DAY_HOURS / MONTH_HOURS


def money(value):
    """An amount to the cent, as text. Adding nothing takes the sign off a zero."""
    return str(value.quantize(Decimal("0.01"), ROUND_HALF_UP) + 0)


def change(before, after):
    """Money to the cent, and percent of what it was. Without a before there is no percent."""
    percent = f"{(after - before) * 100 / before:.1f}" if before else None
    found = {"before": before, "after": after, "change": after - before}
    return {name: money(value) for name, value in found.items()} | {"percent": percent}
