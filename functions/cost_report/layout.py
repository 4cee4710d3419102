"""The report as a text for the topic, and as a page for mail programs and browsers.

Mail programs show no scripts and few styles. So the page is tables, its bars are cells with a colour, and
it loads nothing from elsewhere. Styles that everybody needs stand at the elements; the head has only those
for dark screens and narrow ones.
"""

from decimal import Decimal
from html import escape

# How many rows a list shows; what is left out is summed up in a last one.
ROWS = 15
CHART_HEIGHT = 96
LATE = "Cost Explorer is up to 24 hours late, and AWS corrects costs until the month is closed."
NOTHING_YET = "Nothing to compare yet: no whole day has passed since the optimisation."
ONLY_WATCHED = "AWS finds anomalies only in what a monitor of the account watches."


# --- As a text ---


def text_of(report, notes=()):
    """The report for people."""
    parts = [
        recent_text(report),
        goal_text(report),
        measures_text(report),
        comparison_text(report),
        anomalies_text(report),
        [LATE, asked(report), *notes],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def recent_text(report):
    recent = report.get("recent")
    if recent is None or "unknown" in recent:
        return [f"Costs by environment: not known. {recent['unknown']}"] if recent else []
    lines = [f"{headline(report)}: {amount(recent['total'])} {recent['unit']}"]
    if recent["tags"]:
        lines += ["", *(line for line in recent["tags"].values()), "", "Of the account, by service:"]
        return lines + [cost_line(row, "service") for row in shortened(recent["services"], "service")]
    lines += ["", "Environments of the project:"]
    lines += [cost_line(row, "environment") for row in shortened(named(recent["environments"]), "environment")]
    own = own_of(report)
    if not own:
        lines += ["", nothing_of(report)]
    else:
        lines += ["", f"Components of {own['environment']}:"]
        lines += [cost_line(row, "component") for row in shortened(named(own["components"]), "component")]
        lines += ["", f"The dearest resources of {own['environment']}:"]
        lines += [cost_line(row, "address") for row in own["resources"]]
    return lines


def goal_text(report):
    goal = report.get("goal")
    if not goal:
        return []
    if "unknown" in goal:
        return [f"Goal: not compared. {goal['unknown']}"]
    return [f"{goal_sum(report)} {goal_verdict(goal)}"]


def measures_text(report):
    measures = report.get("measures")
    if not measures or "unknown" in measures:
        lines = [f"Measures: not known. {measures['unknown']}", ""] if measures else []
        return [*lines, "Optimisations applied:", *(f"- {item}" for item in report["optimizations"])]
    lines = [measures_title(measures)]
    lines += [measure_line(row) for row in measures["steps"]]
    lines += [measure_line(measures["total"] | {"name": "together"})]
    return lines + beside(report)


def measure_line(row):
    return f"- {row['name']}: {amount(row['before'])} -> {amount(row['after'])}, saves {saving(row)}"


def comparison_text(report):
    before, after, unit = report["before"], report["after"], report["unit"]
    lines = [
        "The account before and after, by service:",
        f"Before: {before['Start']} to {before['End']}, {report['days']} days, end exclusive",
        f"After:  {after['Start']} to {after['End']}, {report['days']} days, end exclusive",
        "",
        line_of("Total", report["total"], unit),
        *(line_of(row["service"], row, unit) for row in report["services"]),
    ]
    if not report["days"]:
        lines.insert(1, NOTHING_YET)
    return lines


def line_of(name, row, unit):
    """One row of the comparison."""
    return f"{name}: {row['before']} -> {row['after']} {unit}, {row['change']} ({percent_of(row)})"


def anomalies_text(report):
    anomalies = report.get("anomalies")
    if not anomalies:
        return []
    if "unknown" in anomalies:
        return [f"Anomalies: not known. {anomalies['unknown']}"]
    if not anomalies["found"]:
        return [f"Anomalies: AWS reports none. {ONLY_WATCHED}"]
    return ["Anomalies:", *(f"- {anomaly_line(row)}" for row in anomalies["found"][:ROWS]), *left_out(anomalies)]


def cost_line(row, key):
    return f"- {row[key]}: {amount(row['cost'])}"


# --- Sentences that both have ---


def headline(report):
    recent = report["recent"]
    first, end = recent["period"]["Start"], recent["period"]["End"]
    who = f"environment {report['environment']}" if recent["of"] == "environment" else "the account"
    return f"The last {recent['days']} days of {who}, {first} to {end}, end exclusive"


def goal_sum(report):
    goal, days = report["goal"], report["recent"]["days"]
    unit = report["recent"]["unit"]
    return (
        f"Goal: {amount(goal['monthly'])} {unit} a month, which is {amount(goal['share'])} for {days} days. "
        f"Spent: {amount(goal['total'])}, {goal['percent']} % of it."
    )


def goal_verdict(goal):
    if goal["of"] == "environment":
        return "Within the goal." if goal["within"] else "Above the goal."
    if goal["within"]:
        return "That is the account, so the environment is within its goal."
    return "That is the account: the part of the environment is not known, so this does not say whether it is above."


def measures_title(measures):
    return (
        f"Measures, computed by `payctl cost --baseline` for {measures['region']} with prices of "
        f"{measures['prices_of']}, in {measures['currency']} a month:"
    )


def beside(report):
    """What the config should cost by computation, beside what was paid."""
    measures, recent = report["measures"], report["recent"]
    if measures["share"] is None:
        return []
    who = "the environment" if recent["of"] == "environment" else "the account, which has more than the environment"
    return [
        f"Computed after the measures: {amount(measures['share'])} for {recent['days']} days. "
        f"Paid: {amount(recent['total'])} by {who}."
    ]


def saving(row):
    return amount(row["saved"]) + ("" if row["percent"] is None else f" ({row['percent']} %)")


def percent_of(row):
    return "new" if row["percent"] is None else f"{row['percent']} %"


def anomaly_line(row):
    place = ", ".join(part for part in (row["region"], row["usage"], row["account"]) if part)
    known = row["actual"] is not None and row["expected"] is not None
    spent = f" ({amount(row['actual'])} instead of {amount(row['expected'])})" if known else ""
    days = row["start"] if row["end"] in ("", row["start"]) else f"{row['start']} to {row['end']}"
    return f"{row['service']}{f' ({place})' if place else ''}, {days}: {amount(row['impact'])} USD{spent}"


def left_out(anomalies):
    more = len(anomalies["found"]) - ROWS
    return [f"- and {more} more, with less impact"] if more > 0 else []


def asked(report):
    if "asked" not in report:
        return ""
    return (
        f"For this report payctl's function asked Cost Explorer {report['asked']} times; at 0.01 USD a "
        f"request that is {report['asked_cost']} USD."
    )


def own_of(report):
    """This environment among those of the project."""
    rows = report["recent"].get("environments") or []
    return next((row for row in rows if row["environment"] == report["environment"]), None)


def nothing_of(report):
    return f"Cost Explorer shows no costs of {report['environment'] or 'this environment'} in these days."


def named(rows):
    """The same rows with a name for what has no tag."""
    return [
        {key: "(without the tag)" if value == "" else value for key, value in row.items()} for row in rows
    ]


def shortened(rows, key):
    """The first rows, and the sum of the rest."""
    if len(rows) <= ROWS:
        return rows
    rest = sum((Decimal(row["cost"]) for row in rows[ROWS:]), Decimal(0))
    return [*rows[:ROWS], {key: f"{len(rows) - ROWS} others", "cost": str(rest)}]


def amount(value):
    """`1234.5` as `1,234.50`."""
    return f"{Decimal(value):,.2f}"


# --- As a page ---

INK, DIM, BAR, RAIL, LINE, CARD, BACK = "#1c2330", "#556070", "#2f6fde", "#e6ebf3", "#dfe4ec", "#ffffff", "#f3f5f9"
GOOD, BAD = "#14713f", "#b3261e"
FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
STYLE = """
:root { color-scheme: light dark; }
td, th { overflow-wrap: anywhere; }
@media (max-width: 520px) {
  .wide { display: none !important; }
  .page { padding: 8px !important; }
  .card { padding: 14px !important; }
}
@media (prefers-color-scheme: dark) {
  .back { background: #11161d !important; }
  .card { background: #1a212b !important; border-color: #2e3947 !important; }
  .ink { color: #e8ecf2 !important; }
  .dim { color: #a5b0bf !important; }
  .line { border-color: #2e3947 !important; }
  .bar { background: #6ca0ff !important; }
  .rail, .call { background: #26303d !important; }
  .good { color: #66d19e !important; }
  .bad { color: #ff9a92 !important; }
}
"""
TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">'
EVEN = TABLE.replace("<table", '<table style="table-layout:fixed"')
DATA = '<table width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">'


def html_of(report, title):
    """The report as a page."""
    parts = [
        recent_cards(report),
        measures_card(report),
        comparison_card(report),
        anomalies_card(report),
        card("About this report", dim(LATE) + dim(asked(report))),
    ]
    cards = "".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f'<body class="back" style="margin:0;background:{BACK}">'
        f'<table role="presentation" class="back" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="{BACK}">'
        '<tr><td class="page" align="center" style="padding:20px">'
        f'<div role="main" style="max-width:680px;text-align:left;{FONT};font-size:14px;line-height:1.45">'
        f'<h1 class="ink" style="margin:4px 0 16px;font-size:20px;line-height:1.3;color:{INK}">{escape(title)}</h1>'
        f"{cards}</div></td></tr></table></body></html>\n"
    )


def card(title, content):
    return (
        f'<div class="card" style="background:{CARD};border:1px solid {LINE};border-radius:8px;padding:18px;'
        f'margin:0 0 14px"><h2 class="ink" style="margin:0 0 10px;font-size:15px;color:{INK}">{escape(title)}</h2>'
        f"{content}</div>"
    )


def dim(text):
    if not text:
        return ""
    return f'<p class="dim" style="margin:0 0 8px;color:{DIM};font-size:13px">{escape(text.replace("`", ""))}</p>'


def recent_cards(report):
    recent = report.get("recent")
    if recent is None:
        return ""
    if "unknown" in recent:
        return card("Costs by environment", dim(f"Not known. {recent['unknown']}") + goal_lines(report))
    total = f'<p class="ink" style="margin:0 0 4px;font-size:28px;font-weight:600;color:{INK}">'
    total += f"{amount(recent['total'])} {escape(recent['unit'])}</p>"
    first = card(headline(report), total + goal_lines(report) + chart(recent["daily"], recent["unit"]))
    if recent["tags"]:
        why = dim(recent["tags"]["reason"]) + call_box(recent["tags"].get("call"))
        services = bars(recent["services"], "service", "Service")
        return first + card("Environments and components are not known", why) + card("The account by service", services)
    cards = [card("Environments of the project", bars(named(recent["environments"]), "environment", "Environment"))]
    own = own_of(report)
    if own:
        name = own["environment"]
        cards.append(card(f"Components of {name}", bars(named(own["components"]), "component", "Component")))
        cards.append(card(f"The dearest resources of {name}", bars(own["resources"], "address", "Resource")))
    else:
        cards.append(dim(nothing_of(report)))
    return first + "".join(cards)


def call_box(call):
    if not call:
        return ""
    return (
        f'<p class="call ink" style="margin:0;padding:10px;background:{RAIL};border-radius:6px;color:{INK};'
        f'font-family:Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere">{escape(call)}</p>'
    )


def goal_lines(report):
    goal = report.get("goal")
    if not goal or "unknown" in goal:
        return dim(f"Goal: not compared. {goal['unknown']}") if goal else ""
    sure = goal["of"] == "environment" or goal["within"]
    tone, colour = ("good", GOOD) if goal["within"] else ("bad", BAD)
    tone, colour = (tone, colour) if sure else ("dim", DIM)
    verdict = f'<p class="{tone}" style="margin:0 0 8px;color:{colour};font-weight:600">{escape(goal_verdict(goal))}</p>'
    return dim(goal_sum(report)) + rail(Decimal(goal["percent"])) + verdict


def rail(percent):
    """A bar that is full at 100 per cent."""
    return f'<div style="margin:0 0 8px">{bar(max(0, min(100, int(percent))), 10)}</div>'


def bar(width, height):
    """A cell with a colour, as wide as this per cent of the whole."""
    empty = "font-size:0;line-height:0"
    filled = f'<td class="bar" width="{width}%" height="{height}" style="background:{BAR};{empty}">&nbsp;</td>'
    rest = f'<td class="rail" height="{height}" style="background:{RAIL};{empty}">&nbsp;</td>'
    return f"{TABLE}<tr>{filled if width else ''}{rest if width < 100 else ''}</tr></table>"


def chart(days, unit):
    """A column for each day."""
    costs = [Decimal(row["cost"]) for row in days]
    most = max(costs, default=Decimal(0))
    if most <= 0:
        return dim("No costs in these days, so there is no chart.")
    columns = []
    for row, cost in zip(days, costs):
        height = max(1, int(cost * CHART_HEIGHT / most)) if cost > 0 else 0
        told = escape(f"{row['day']}: {amount(row['cost'])} {unit}")
        style = f"background:{BAR};font-size:0;line-height:0;height:{height}px"
        column = f'{TABLE}<tr><td class="bar" height="{height}" style="{style}">&nbsp;</td></tr></table>'
        columns.append(
            f'<td valign="bottom" height="{CHART_HEIGHT}" title="{told}" style="padding:0 1px">'
            f"{column if height else ''}</td>"
        )
    dearest = days[costs.index(most)]
    said = f"Each day; the dearest is {dearest['day']} with {amount(dearest['cost'])} {unit}."
    ends = (
        f'<tr><td class="dim" style="color:{DIM};font-size:12px">{days[0]["day"]}</td>'
        f'<td class="dim" align="right" style="color:{DIM};font-size:12px">{days[-1]["day"]}</td></tr>'
    )
    return (
        f'<div role="img" aria-label="{escape(said)}" style="margin:10px 0 0">{EVEN}'
        f"<tr>{''.join(columns)}</tr></table>{TABLE}{ends}</table></div>{dim(said)}"
    )


def head(*titles):
    """The first row of a table; the first title is at the left, the others stand above numbers."""
    cells = []
    for place, (title, wide) in enumerate(titles):
        if not title:
            cells.append('<td class="wide"></td>')
            continue
        align, hidden = ("left", "right")[place > 0], ' class="dim wide"' if wide else ' class="dim"'
        cells.append(
            f'<th scope="col" align="{align}"{hidden} style="padding:4px 6px;color:{DIM};font-size:12px;'
            f'font-weight:600;white-space:nowrap">{escape(title)}</th>'
        )
    return f"<tr>{''.join(cells)}</tr>"


def cell(text, wide=False, name=False, tone="ink", colour=INK):
    """A cell with a name at the left, or with a number at the right."""
    align, wrap = ("left", "") if name else ("right", "white-space:nowrap;")
    hidden = " wide" if wide else ""
    return (
        f'<td class="line {tone}{hidden}" align="{align}" style="padding:6px;border-top:1px solid {LINE};'
        f'{wrap}color:{colour}">{escape(text)}</td>'
    )


def bars(rows, key, title):
    """Rows with a name, a bar and an amount."""
    if not rows:
        return dim("None.")
    rows = shortened(rows, key)
    most = max((Decimal(row["cost"]) for row in rows), default=Decimal(0))
    lines = []
    for row in rows:
        width = max(0, int(Decimal(row["cost"]) * 100 / most)) if most > 0 else 0
        drawn = f'<td class="line wide" width="40%" style="padding:6px;border-top:1px solid {LINE}">{bar(width, 10)}</td>'
        lines.append(f"<tr>{cell(row[key], name=True)}{drawn}{cell(amount(row['cost']))}</tr>")
    return f"{DATA}{head((title, False), ('', True), ('Cost', False))}{''.join(lines)}</table>"


def measures_card(report):
    measures = report.get("measures")
    if not measures or "unknown" in measures:
        items = "".join(f'<li class="ink" style="color:{INK}">{escape(item)}</li>' for item in report["optimizations"])
        why = dim(f"Their savings are not known. {measures['unknown']}") if measures else ""
        return card("Optimisations applied", f'{why}<ul style="margin:0;padding-left:20px">{items}</ul>')
    rows = []
    for row in [*measures["steps"], measures["total"] | {"name": "together"}]:
        share = "" if row["percent"] is None else f"{row['percent']} %"
        rows.append(
            f"<tr>{cell(row['name'], name=True)}{cell(amount(row['before']), wide=True)}"
            f"{cell(amount(row['after']), wide=True)}{cell(amount(row['saved']))}{cell(share)}</tr>"
        )
    titles = head(("Measure", False), ("Before", True), ("After", True), ("Saved", False), ("Part", False))
    sentences = "".join(dim(text) for text in beside(report))
    table = f"{DATA}{titles}{''.join(rows)}</table>"
    below = f'<div style="height:8px"></div>{sentences}'
    return card("Saving of each measure", dim(measures_title(measures)) + table + below)


def comparison_card(report):
    before, after = report["before"], report["after"]
    title = "The account before and after"
    if not report["days"]:
        return card(title, dim(NOTHING_YET))
    said = (
        f"{report['days']} days each, ends exclusive: {before['Start']} to {before['End']}, and "
        f"{after['Start']} to {after['End']}. In {report['unit']}."
    )
    rows = []
    for row in [report["total"] | {"service": "Total"}, *report["services"][: 2 * ROWS]]:
        tone, colour = ("good", GOOD) if row["change"].startswith("-") else ("ink", INK)
        rows.append(
            f"<tr>{cell(row['service'], name=True)}{cell(amount(row['before']), wide=True)}"
            f"{cell(amount(row['after']), wide=True)}{cell(amount(row['change']), tone=tone, colour=colour)}"
            f"{cell(percent_of(row))}</tr>"
        )
    more = len(report["services"]) - 2 * ROWS
    more = dim(f"{more} services more in the text of this report.") if more > 0 else ""
    titles = head(("Service", False), ("Before", True), ("After", True), ("Change", False), ("Part", False))
    return card(title, dim(said) + f"{DATA}{titles}{''.join(rows)}</table>" + more)


def anomalies_card(report):
    anomalies = report.get("anomalies")
    if not anomalies:
        return ""
    if "unknown" in anomalies:
        return card("Anomalies", dim(f"Not known. {anomalies['unknown']}"))
    if not anomalies["found"]:
        return card("Anomalies", dim(f"AWS reports none. {ONLY_WATCHED}"))
    shown = [anomaly_line(row) for row in anomalies["found"][:ROWS]] + [line[2:] for line in left_out(anomalies)]
    items = "".join(f'<li class="ink" style="color:{INK};margin:0 0 4px">{escape(line)}</li>' for line in shown)
    return card("Anomalies", f'<ul style="margin:0;padding-left:20px">{items}</ul>')
