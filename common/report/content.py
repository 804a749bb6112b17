"""What the report says, in words: the one sentence, what happens next, and the ten lines (contract.md §14)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from common.decimals import ONE, ZERO, exact, quotient
from common.domain.instrument import Side
from common.domain.orders.journal import JournalEntry
from common.report.missed import missed_slots
from common.report.values import ENDED_WELL, INTERVALS, Document, Values, late
from common.report.words import AHEAD, age, ahead, clock, money, one_line, percent, price, quantity, span
from common.store.codec import moment, moment_or_none
from common.store.documents import MALFORMED_DOCUMENT

CANNOT_BE_SHOWN = "cannot be shown: what is stored is not what this version writes"
NOTHING_OPEN = "no order is open"
TRADING_JOB = "fifteen_min_job"
NOTHING_YET = "Nothing to compare with holding yet: no fill has been seen, and no coins"


def or_unreadable(describe: Callable[[Values], str], values: Values) -> str:
    """The text of `describe`, or that it is unreadable: one malformed document must not spoil the rest."""
    try:
        return describe(values)
    except MALFORMED_DOCUMENT:
        return CANNOT_BE_SHOWN


def sentence(values: Values) -> str:
    """Whether the bot was worth it: against holding, since when, its costs, and up to which price."""
    result = values.cost.get("attribution") or values.cost.get("benchmark")
    if not result:
        return NOTHING_YET
    difference = result["difference"]
    since = moment(result["since"])
    until = moment_or_none(values.cost.get("updated_at")) or values.now
    lasted = f"since {AHEAD}" if ahead(values.since(since)) else f"in {span(until - since)}"
    text = f"{money(difference, signed=True)} {values.quote} against holding {lasted}, costs {money(costs(result))}"
    standing = _standing(values, difference)
    return f"{text}; {standing}" if standing else text


def costs(result: Document) -> Decimal:
    """What trading cost: slippage and fees, as a positive amount of the quote asset."""
    taken: Decimal = -(result["slippage"] + result["fees"]) if "slippage" in result else result["fees"]
    return taken


def _standing(values: Values, difference: Decimal) -> str | None:
    """On which side of the break-even price it is ahead; None if there is no such price."""
    even = values.attribution.break_even() if values.attribution else None
    if even is None:
        return None
    word = "while" if difference >= 0 else "once"
    return f"ahead {word} the price is {'below' if even.ahead_below else 'above'} {price(even.price)}"


def why(values: Values) -> str:
    """The last plan in a sentence: what it does, or which check holds it back."""
    plan = values.plan
    if plan is None:
        return "no plan has been made yet"
    if plan["action"] != "HOLD":
        amount = f"{money(values.of_quote(plan, 'notional'))} {values.quote} at {price(plan['price'])}"
        text = f"{plan['action']} {quantity(plan['quantity'])} {values.base} ({amount})"
        return f"{text}: {one_line(plan['reason'])}"
    reason, explanation = one_line(plan["reason"]), _held_by(plan, values)
    return f"HOLD: {reason}" + (f" ({explanation})" if explanation and explanation not in reason else "")


def last_plan(values: Values) -> str:
    """The last plan in a sentence, with its time."""
    at = moment(values.plan["timestamp"]) if values.plan else None
    return f"the plan of {clock(at)}: {why(values)}" if at else why(values)


def _held_by(plan: Document, values: Values) -> str:
    """The check that holds a plan back: the drift decides, and the least order only where the drift is enough."""
    failed = {check["name"]: check for check in plan.get("checks", ()) if not check["passed"]}
    if not failed:
        return ""
    first = failed.get("threshold") or next(iter(failed.values()))
    if first["name"] == "minimum_notional":
        return (
            f"an order would take {money(first['value'])} {values.quote}; "
            f"less than {money(first['limit'])} is not traded"
        )
    return one_line(first["explanation"])


def triggers(values: Values) -> dict[str, str]:
    """The prices at which it trades next, and how much: the verb, and the terms.

    A price that has been passed is none that is to come: it says what trades then, or that nothing does.
    """
    if values.mix is None:
        return {}
    terms = {}
    below, above = values.mix.next_trades
    if (passed := values.mix.passed(Side.BUY)) is not None:
        terms["Buys"] = _passed(values, Side.BUY, passed)
    elif below is not None:
        terms["Buys"] = f"{quantity(below.quantity)} {values.base} at or below {price(below.price)}"
    elif values.mix.buys_anyway:
        terms["Buys"] = "at any price"
    if (passed := values.mix.passed(Side.SELL)) is not None:
        terms["Sells"] = _passed(values, Side.SELL, passed)
    elif above is not None:
        terms["Sells"] = f"{quantity(above.quantity)} {values.base} at or above {price(above.price)}"
    return terms


def _passed(values: Values, side: Side, reached: Decimal) -> str:
    """What becomes of a side whose next price has been reached."""
    plan = values.plan
    if plan and plan["action"] == side and values.mode != "live":
        return (
            f"nothing in EXECUTION_MODE={values.mode}: the plan of {clock(moment(plan['timestamp']))} would "
            f"{side.lower()} {quantity(plan['quantity'])} {values.base}"
        )
    past = "not above" if side is Side.BUY else "not below"
    return f"in the next plan, if nothing holds it: the price is {past} {price(reached)}"


def prices(values: Values) -> str:
    """The next prices in one line."""
    text = "; ".join(f"{verb.lower()} {terms}" for verb, terms in triggers(values).items())
    return f"{text}{planned(values)}" if text else "no price is known at which it would trade"


@exact
def deposit(values: Values) -> str | None:
    """Where a deposit of about a tenth of the value would go: first to the asset that is short."""
    mix = values.mix
    if mix is None or mix.weight is None or not mix.price:
        return None
    total = mix.total_value
    amount = ONE.scaleb((total / 10).adjusted())
    lacking = mix.target_weight * (total + amount) - mix.base_value
    into_base = min(max(lacking, ZERO), amount)
    bought = quotient(into_base, mix.price)
    return (
        f"of {money(amount)} {values.quote}: {money(into_base)} would buy {quantity(bought)} {values.base}, "
        f"{money(amount - into_base)} would stay"
    )


def next_step(entry: JournalEntry, now: datetime) -> str:
    """What will resolve an open intent, and when."""
    if entry.state.value == "PLANNED":
        return "the next run asks the exchange for it; what is not known there was never sent, and is closed"
    if entry.state.value == "RESTING":
        return "it rests in the order book; the next plan asks for it, books what it filled and cancels the rest"
    if entry.sent_at is not None and now - entry.sent_at < timedelta(seconds=60):
        return "it may not be visible yet; the next run later than 60 s after it was sent decides"
    return "the next run asks the exchange for it by this id; nothing else is sent until its end is reported"


def intent_line(entry: JournalEntry, values: Values) -> str:
    """An open intent: id, order, age, state and what comes next."""
    intent, reason = entry.intent, f" ({one_line(entry.reason)})" if entry.reason else ""
    since = age(values.since(entry.sent_at or entry.planned_at))
    return (
        f"{one_line(intent.client_order_id)}: {intent.side.value} {quantity(intent.quantity)} {values.base}, "
        f"{since}, {entry.state.value}{reason}: {next_step(entry, values.now)}"
    )


def open_lines(values: Values) -> list[str]:
    """Everything that is open: orders, fills that cannot be booked, a program of slices."""
    found = [or_unreadable(partial(intent_line, entry), values) for entry in values.open_intents]
    found += [or_unreadable(partial(_odd_fill, odd), values) for odd in values.cost.get("quarantine") or ()]
    found += [f"in slices: {values.program.describe()}"] if values.program else []
    return found


def _odd_fill(odd: Document, values: Values) -> str:
    return (
        f"fill {one_line(odd['id'], 40)} cannot be booked ({one_line(odd['reason'])}), "
        f"{age(values.age(odd, 'seen_at'))}: nothing is ordered until `book-fill` or `ignore-fill`"
    )


def trading(values: Values) -> str:
    """Whether it trades, and if not, why."""
    if pause := values.paused:
        until = moment_or_none(pause.get("until"))
        end = f"until {clock(until)}" if until else "until it is resumed"
        return f"paused {end} by {one_line(pause['set_by'])}: {one_line(pause['reason'])}"
    if values.mode == "live":
        run = values.runs.get(TRADING_JOB)
        seconds = values.age(run)
        stale = run is not None and not ahead(seconds) and late(seconds, INTERVALS[TRADING_JOB])
        return f"on, but {TRADING_JOB} last ran {age(seconds)}" if stale else "on"
    return {
        "test": "off: EXECUTION_MODE=test, orders are checked by the exchange and not placed",
    }.get(values.mode, "off: EXECUTION_MODE=plan, plans are made and nothing is ordered")


def mix(values: Values) -> str:
    mix = values.mix
    if mix is None or mix.weight is None:
        return "not known yet"
    return (
        f"{percent(mix.weight)} {values.base} (target {percent(mix.target_weight)}), "
        f"{money(mix.total_value)} {values.quote} at {price(mix.price)}"
        f"{planned(values) or _priced(mix.priced_at)}"
    )


def _priced(at: datetime | None) -> str:
    return f" of {clock(at)}" if at else ""


def planned(values: Values) -> str:
    """That mix and next prices are not those of now, where they are not."""
    at = values.mix.planned_at if values.mix else None
    return f" (from the plan of {clock(at)}, before any order)" if at else ""


def runs(values: Values) -> Iterator[tuple[str, str, bool]]:
    """Each scheduled job: how its last run ended and when, and whether that is fine."""
    for name, interval in INTERVALS.items():
        run = values.runs.get(name)
        if run is None:
            yield name, "has never run", False
            continue
        seconds = values.age(run)
        overdue = late(seconds, interval)
        reason = f" ({one_line(run['reason'], 120)})" if run.get("reason") else ""
        outcome = f"{run['status']}{reason}, {age(seconds)}{', LATE' if overdue else ''}"
        yield name, outcome, not overdue and not ahead(seconds) and run["status"] in ENDED_WELL


def lines(values: Values) -> list[str]:
    """The state in ten lines or a few more, the most urgent first: what needs a person, then the rest."""
    opened = open_lines(values)
    blocks = [
        ("trading", [or_unreadable(trading, values)], values.paused is not None),
        ("open", opened or [NOTHING_OPEN], bool(opened)),
        ("runs", _runs(values), not _all_well(values)),
        ("unreadable", [one_line(text) for text in values.unreadable], True),
        *((name, [or_unreadable(describe, values)], False) for name, describe in LINES),
    ]
    blocks.sort(key=lambda block: not block[2])
    return [_line("" if index else name, text) for name, texts, _ in blocks for index, text in enumerate(texts)]


def _line(name: str, text: str) -> str:
    return f"{name:<10} {text}"


def _plan(values: Values) -> str:
    return f"{why(values)}, {age(values.age(values.plan))}" if values.plan else why(values)


def _runs(values: Values) -> list[str]:
    """The jobs in two lines: of the market, and of the money."""
    return [or_unreadable(partial(_some_runs, part), values) for part in (slice(0, 2), slice(2, None))]


def _some_runs(part: slice, values: Values) -> str:
    return "; ".join(f"{name} {outcome}" for name, outcome, _ in list(runs(values))[part])


def _all_well(values: Values) -> bool:
    try:
        return all(good for *_, good in runs(values))
    except MALFORMED_DOCUMENT:
        return False


def _today(values: Values) -> str:
    most = f" of {values.most_orders}" if values.most_orders is not None else ""
    return f"{values.orders_today}{most} orders; {missed_sentence(values)}; {ledger_sentence(values)}"


LINES: Sequence[tuple[str, Callable[[Values], str]]] = (
    ("plan", _plan),
    ("next", prices),
    ("mix", mix),
    ("worth", sentence),
    ("today", _today),
)


def ledger_sentence(values: Values) -> str:
    off = values.drift_quantity
    if not values.cost:
        return "no ledger yet"
    if not off:
        return "the ledger agrees with the account"
    holds = "holds" if off > 0 else "lacks"
    return f"the account {holds} {quantity(abs(off))} {values.base} that the ledger does not explain"


def missed_sentence(values: Values) -> str:
    expected, gone = missed_slots(values.reports, values.now)
    return f"{len(gone)} of {expected} slots missed" if expected else "no slot was due yet"
