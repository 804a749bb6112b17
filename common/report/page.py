"""The report as one page: the sentence, what happens next, the pictures, the numbers (contract.md §14)."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from common.decimals import quotient
from common.domain.performance.equity import Point
from common.report import content, guidance, pictures, returns
from common.report.html import NOTHING, Child, Markup, document, join, table, tag
from common.report.style import SCRIPT, STYLE
from common.report.values import Document, Values
from common.report.words import age, clock, counted, money, one_line, percent, price, quantity
from common.store.codec import moment, moment_or_none
from common.store.documents import MALFORMED_DOCUMENT

DAYS_FROM = timedelta(days=8)
"""From this age on, the long pictures are drawn by days instead of slots."""


def render(values: Values, refresh_seconds: int | None = None) -> str:
    """The whole page as text; with `refresh_seconds` the browser reloads it by itself."""
    sentence = content.or_unreadable(content.sentence, values)
    sections = tag("main", *(_section(title, make, values) for title, make in SECTIONS))
    body = join([_head(values, sentence), sections, _foot(values)])
    return document(f"{values.instrument.pair}: {sentence}", body, STYLE, SCRIPT, refresh_seconds)


def _head(values: Values, sentence: str) -> Markup:
    shown = tag("b", values.instrument.pair), " constant mix \u00b7 ", _time(values.now)
    return tag(
        "header",
        tag("p", *shown, class_="eyebrow"),
        tag("h1", sentence),
        tag("p", f"Trading is {content.or_unreadable(content.trading, values)}.", class_="lead"),
        *(tag("p", f"Cannot be read: {one_line(text)}", class_="alert") for text in values.unreadable),
    )


def _section(title: str, make: Callable[[Values], Sequence[Child]], values: Values) -> Markup:
    """One section, empty when it has nothing to say; a malformed document must not spoil the other sections."""
    try:
        parts = make(values)
    except MALFORMED_DOCUMENT:
        parts = [tag("p", content.CANNOT_BE_SHOWN, class_="alert")]
    return tag("section", tag("h2", title), *parts) if parts else NOTHING


def long_points(values: Values) -> Sequence[Point]:
    """The points of the long pictures: days and the newest slot, or the slots of a young account."""
    if len(values.days) < 2 or values.days[-1].at - values.days[0].at < DAYS_FROM:
        return values.slots
    newest = [point for point in values.slots[-1:] if point.at > values.days[-1].at]
    return [*values.days, *newest]


def _value(values: Values) -> Sequence[Child]:
    points = long_points(values)
    return [pictures.value(values, points), _facts(returns.facts(values, points))] if len(points) > 1 else []


def _mix(values: Values) -> Sequence[Child]:
    return [pictures.weights(values, values.slots)] if len(values.slots) > 1 else []


def _drawdown(values: Values) -> Sequence[Child]:
    points = long_points(values)
    return [tag("p", returns.fall(points), class_="note"), pictures.drawdown(points)] if len(points) > 1 else []


def _shadows(values: Values) -> Sequence[Child]:
    """What other policies would have made of the same days, without drift."""
    found = returns.compared(values)
    if not found:
        return []
    words = (
        "Each decides on paper at every slot and pays the measured cost. Growth that comes from leaning one way "
        "while the price went there is left out. What each would be worth keeps it in: the two may differ in sign."
    )
    if any(each.interval for each in found):
        words += " The bars hold 95 % of a stationary bootstrap of the days."
    parts = [tag("p", words, class_="note")]
    if same := returns.alike(found):
        parts.append(tag("p", f"These have not traded differently yet: {', '.join(same)}.", class_="note"))
    if not any(each.interval for each in found):
        days = max(each.days for each in found)
        parts.append(
            tag("p", f"{counted(days, 'whole day')} so far: too few to tell policies apart.", class_="note")
        )
    elif not any(each.interval and each.interval.excludes_zero for each in found):
        parts.append(tag("p", "The days so far cannot tell these policies from the bot\u2019s own.", class_="note"))
    return [*parts, pictures.shadows(values, found)]


def _next(values: Values) -> Sequence[Child]:
    ages = {
        "account": values.age(values.balances),
        "price": values.age(values.price),
        "cost": values.age(values.cost, "updated_at"),
        "plan": values.age(values.plan),
    }
    facts: list[tuple[str, Child]] = [("The mix", content.mix(values))]
    facts += content.triggers(values).items()
    if deposit := content.deposit(values):
        facts.append(("A deposit", deposit))
    facts.append(("Age of data", ", ".join(f"{name} {age(seconds)}" for name, seconds in ages.items())))
    last = content.last_plan(values)
    return [tag("p", f"{last[:1].upper()}{last[1:]}."), _facts(facts)]


def _attribution(values: Values) -> Sequence[Child]:
    lines = values.cost.get("attribution")
    if not lines:
        return []
    updated = moment_or_none(values.cost.get("updated_at"))
    reached = [" to ", _time(updated)] if updated else []
    begun = f"At {price(lines['mark_price'])} {values.quote}, from ", _time(moment(lines["since"])), *reached, ". "
    notes = []
    if lines["fees_in_other_assets"]:
        notes.append(
            f"Fees in other assets, outside the value: {money(lines['fees_in_other_assets'])} {values.quote}."
        )
    if lines["fills_without_mid"]:
        notes.append(f"Of {lines['fills_without_mid']} fills the mid is not known: their slippage counts as none.")
    return [tag("p", *begun, " ".join(notes), class_="note"), pictures.attribution(values, lines)]


def _costs(values: Values) -> Sequence[Child]:
    """The measured cost of trading, and what it means for the band in force."""
    policy = values.policy
    if not policy or not policy["cost"]:
        return []
    cost = policy["cost"]
    names = {"fee": "taker fee", "half_spread": "half spread", "impact": "impact"}
    parts = [f"{words} {percent(cost[name], 3)}" for name, words in names.items() if cost.get(name) is not None]
    facts: list[tuple[str, Child]] = [
        ("One way", f"{percent(cost['one_way'], 3)} ({', '.join(parts) or 'assumed'})")
    ]
    if cost.get("at_notional") is not None:
        facts.append(("At an order of", f"{money(cost['at_notional'])} {values.quote}"))
    facts.append(("From", f"{one_line(cost['source'])}: {cost['books']} order books, {cost['fills']} fills"))
    policy = values.mix.in_policy(policy) if values.mix else policy
    bought = "at any price" if values.mix and values.mix.buys_anyway else "never"
    rows = [
        [
            f"{percent(level['trigger'], 2)}",
            percent(level["destination"], 2),
            one_line(level["style"]),
            price(level["buy_below"]) if level.get("buy_below") is not None else bought,
            price(level["sell_above"]) if level.get("sell_above") is not None else "never",
        ]
        for level in policy["levels"]
    ]
    heads = ["Trades at a drift of", "back to", "by", "buys below", "sells above"]
    advice = [tag("p", one_line(policy["advice"]))] if policy.get("advice") else []
    guides = guidance.rows(values)
    compared = [table("What a band costs at a volatility of 100\u202f%", guidance.HEADS, guides)] if guides else []
    return [_facts(facts), *advice, table("The levels in force", heads, rows), *compared]


def _facts(facts: Sequence[tuple[str, Child]]) -> Markup:
    return tag("dl", *(tag(kind, text) for pair in facts for kind, text in zip(("dt", "dd"), pair, strict=True)))


def _profit(values: Values) -> Sequence[Child]:
    """P&L by average cost and by FIFO, side by side."""
    cost = values.cost
    if cost.get("avg_cost") is None:
        return [tag("p", "No position of known cost.", class_="soft")]
    fifo = cost.get("fifo") or {}
    names = {
        "avg_cost": "Average cost",
        "total_invested": "Invested",
        "unrealized_pnl": "Unrealized",
        "realized_pnl": "Realized",
    }
    rows = [[words, _amount(name, cost.get(name)), _amount(name, fifo.get(name))] for name, words in names.items()]
    quantities = [cost.get(f"{values.base.lower()}_balance"), fifo.get("quantity")]
    rows.insert(0, [f"{values.base} of known cost", *(quantity(q) if q is not None else "" for q in quantities)])
    notes = [f"{content.ledger_sentence(values)[:1].upper()}{content.ledger_sentence(values)[1:]}."]
    if unknown := cost.get("unknown_cost_quantity"):
        notes.append(f"Of {quantity(unknown)} {values.base} the cost is not known; they take no part.")
    return [
        table(f"At {price(cost['current_price'])}, {values.quote}", ["By", "Average cost", "FIFO"], rows),
        tag("p", " ".join(notes), class_="note"),
    ]


def _amount(name: str, value: Decimal | None) -> str:
    if value is None:
        return ""
    return price(value) if name == "avg_cost" else money(value, signed=name.endswith("pnl"))


def _runs(values: Values) -> Sequence[Child]:
    """Every scheduled job's last run; for the 15-minute job its success rate, missed slots and durations."""
    rows: list[Sequence[Child]] = []
    for name, outcome, good in content.runs(values):
        rows.append([name.replace("_", " "), outcome if good else tag("span", outcome, class_="alert")])
    reports = [report for report in values.reports if values.now - moment(report["timestamp"]) <= timedelta(days=7)]
    lines = [f"{content.missed_sentence(values).capitalize()} in the last day."]
    if reports:
        statuses = Counter(one_line(report["status"]) for report in reports)
        share = quotient(Decimal(statuses["success"]), Decimal(len(reports)))
        durations = sorted(report["duration_ms"] for report in reports)
        lines.append(
            f"Of the last {len(reports)} runs of the 15-minute job {statuses['success']} succeeded "
            f"({percent(share)}); they took {median(durations):.0f} ms at the median, {durations[-1]} ms at most."
        )
    return [
        table("The last run of each job", ["Job", "How it ended"], rows, texts=2),
        *(tag("p", line, class_="note") for line in lines),
    ]


def _open(values: Values) -> Sequence[Child]:
    """Open intents, refusals of the last day, what operators did."""
    alert = "alert" if values.open_intents or values.cost.get("quarantine") else None
    intents = [tag("li", line, class_=alert) for line in content.open_lines(values)]
    refusals = [
        tag("li", f"{one_line(text)} \u2014 {counted(count, 'time')}")
        for text, count in refused(values.reports, values.now).most_common(8)
    ]
    commands = [
        tag(
            "li",
            _time(moment(given["timestamp"])),
            f": {one_line(given['command'])} by {one_line(given['by'])}",
            _given(given),
        )
        for given in values.commands[:5]
    ]
    parts: list[Child] = []
    for title, items, none in (
        ("Not at its end", intents, "Nothing: every order is known to its end."),
        ("Refused in the last day", refusals, "Nothing."),
        ("Commands", commands, "None was given."),
    ):
        parts.append(tag("h3", title))
        parts.append(tag("ul", *items, class_="plain") if items else tag("p", none, class_="soft"))
    return parts


def _given(command: Document) -> str:
    return f" ({one_line(command['reason'])})" if command.get("reason") else ""


def refused(reports: Sequence[Document], now: datetime) -> Counter[str]:
    """Why guards refused to trade in the last day, and how often."""
    found: Counter[str] = Counter()
    for report in reports:
        if now - moment(report["timestamp"]) <= timedelta(days=1):
            found.update(str(text) for text in (report.get("rebalance") or {}).get("refusals") or ())
    return found


SECTIONS: Sequence[tuple[str, Callable[[Values], Sequence[Child]]]] = (
    ("What happens next", _next),
    ("Value against holding", _value),
    ("The mix, and when it traded", _mix),
    ("Where the difference comes from", _attribution),
    ("What trading costs", _costs),
    ("Other policies on paper", _shadows),
    ("Drawdown", _drawdown),
    ("Profit and loss", _profit),
    ("Runs", _runs),
    ("What is open", _open),
)


def _foot(values: Values) -> Markup:
    revision = f"Revision {values.revision}. " if values.revision else ""
    replayed = f"{values.replayed.summary[:1].upper()}{values.replayed.summary[1:]}. " if values.replayed else ""
    return tag(
        "footer",
        f"{replayed}{revision}Settings {values.settings_hash}. "
        "Every number comes from the exchange\u2019s own answers as they are stored; times are UTC.",
    )


def _time(at: datetime) -> Markup:
    return tag("time", clock(at), datetime=at.isoformat())
