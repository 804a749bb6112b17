"""`verify`: checks from inside what could silently be wrong after a deployment (contract.md §2.6)."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from common.config import KEY_LIFE_DAYS, KEY_WARNING_DAYS, Settings
from common.decimals import ZERO, quotient
from common.domain.decision.pause import Pause
from common.domain.orders.journal import Continuity, IntentState
from common.domain.portfolio import Account
from common.domain.slots import QUARTER
from common.errors import BotError
from common.mexc.client import Mexc
from common.ops import audit_chain
from common.ops.audit_log import source_of
from common.report import content
from common.report.missed import missed_slots
from common.report.values import ENDED_WELL, INTERVALS, Values, gather, late
from common.report.words import percent, span
from common.run import View, age_seconds
from common.store.codec import from_document
from common.store.documents import MALFORMED_DOCUMENT, position_fields
from common.trading import attention
from common.trading.replay import replay
from common.trading.resolution import NOT_PLACED_AFTER

CLOCK_LIMIT_MS = 800
"""From where this report warns. A signed call is refused later: from 1.3 s fast or 5 s slow (exchange.md §2)."""
DRIFT_LIMIT = Decimal("0.01")
"""The share of the coins that may be unexplained before the check fails."""
OLD_DRIFT_AFTER = timedelta(days=1)
"""How long an unexplained flow fails the check; later only a person can judge it."""
LIMITS = ("CORE_HOLDING", "ORDER_COOLDOWN_SECONDS", "USDT_RESERVE")
"""The settings that limit orders beside MAX_* and MIN_*."""
NOBODY = Account({}, False, False, False, "", (), None, None, None)
"""An empty account, used only for the field names of the position hash."""


class Finding(NamedTuple):
    """The result of one check; `ok` is None where only a person can judge."""

    name: str
    ok: bool | None
    explanation: str


def verify(view: View, exchange: Mexc) -> Mapping[str, Any]:
    """Run every check; `healthy` unless one of them fails."""
    values, awaited = gather(view), _awaited(view)
    findings = [
        *_store(view, awaited),
        *_runs(view, awaited),
        *_trading(view, values),
        _asked("plans_reproduced", lambda: _replayed(view)),
        _asked("audit_chain", lambda: _chain(view, values)),
        *_exchange(view, exchange),
        _limits(view.settings),
    ]
    return {
        "healthy": all(finding.ok is not False for finding in findings),
        "findings": [{"name": f.name, "ok": f.ok, "explanation": f.explanation} for f in findings],
    }


def _awaited(view: View) -> Collection[str]:
    """The jobs whose first run is still to come: a bot that began moments ago is new, not damaged.

    It began with the oldest price. Where there is none, nothing shows that the jobs are called at all.
    """
    keys = view.keys
    last = {keys.report_last(name): name for name in INTERVALS}
    never = [last[key] for key, ttl in view.store.ttls([*last], view.meter).items() if ttl == -2]
    if not never:
        return ()
    found, _ = view.store.survey({"oldest": ("ZRANGE", keys.price_history, "0", "0")}, view.meter)
    began = next((age_seconds(price.get("timestamp"), view.now) for price in found["oldest"] or ()), None)
    return [name for name in never if not late(began, INTERVALS[name])]


def _store(view: View, awaited: Collection[str]) -> Iterator[Finding]:
    """Keys, lifetimes, fields and the eviction policy."""
    keys = view.keys
    permanent = {
        keys.raw_latest("account_info"): "balance",
        keys.raw_history("account_info"): "balance",
        keys.raw_latest("ticker_24hr"): "price",
        keys.raw_history("ticker_24hr"): "price",
        keys.account_balance: "balance",
        keys.position: "balance",
        keys.price_latest: "price",
        keys.price_history: "price",
        keys.cost: "cost",
        keys.ledger: "cost",
        keys.inception: "cost",
        keys.plan_last: "fifteen_min_job",
        keys.plan_history: "fifteen_min_job",
    }
    ttls = view.store.ttls([*permanent], view.meter)
    gone = [key for key, ttl in ttls.items() if ttl == -2]
    missing = [key for key in gone if permanent[key] not in awaited]
    mortal = [key for key, ttl in ttls.items() if ttl >= 0]
    remedy = " \u2192 restore" if {keys.ledger, keys.inception} & set(missing) else ""
    text = f"missing: {', '.join(missing)}{remedy}" if missing else "all are there"
    if gone and not missing:
        text = f"new: {', '.join(awaited)} have not run yet and write the rest; had they run before \u2192 restore"
    yield Finding("keys_present", False if missing else None if gone else True, text)
    yield Finding(
        "permanent_without_ttl", not mortal, f"with a TTL: {', '.join(mortal)}" if mortal else "none has a TTL"
    )
    yield _asked("position_fields", lambda: _position(view, awaited))
    policy = view.store.eviction_policy()
    text = f"the policy is {policy or 'not shown'}; state is safe under noeviction only"
    yield Finding("eviction_policy", None if policy is None else policy == "noeviction", text)


def _position(view: View, awaited: Collection[str]) -> Finding:
    position = view.store.read_one(("HGETALL", view.keys.position), view.meter) or {}
    if not position and "balance" in awaited:
        return Finding("position_fields", None, "new: balance has not run yet")
    written = position_fields(NOBODY, view.settings.instrument, view.now)
    lost = [name for name in written if name not in position]
    return Finding("position_fields", not lost, f"missing: {', '.join(lost)}" if lost else "all fields are there")


def _replayed(view: View) -> Finding:
    """Whether today's code reproduces the stored plans from their inputs, to the byte."""
    replayed = replay(view.store, view.meter)
    return Finding("plans_reproduced", not replayed.different, replayed.summary)


def _chain(view: View, values: Values) -> Finding:
    """Whether the newest lines of the audit log have arrived and follow one another, none altered, none missing."""
    source = source_of(view.settings, None)
    if source is None:
        text = "no journal outside Redis is configured here (JOURNAL_BUCKET, JOURNAL_FOLDER): it is not looked at"
        return Finding("audit_chain", None, text)
    checked, late = audit_chain.look(source, values.reports, view)
    wrong = "; ".join(filter(None, (checked.broken, late)))
    text = f"{checked.lines} lines, {checked.unlinked} from before the chain; {wrong or 'none is missing'}"
    return Finding("audit_chain", not wrong, text)


def _limits(settings: Settings) -> Finding:
    """The limits in force: a misspelt setting shows its default here."""
    values = {name.upper(): getattr(settings, name) for name in Settings.model_fields}
    named = {name: value for name, value in values.items() if name.startswith(("MAX_", "MIN_")) or name in LIMITS}
    text = (f"{name} {'off' if value is None else value}" for name, value in sorted(named.items()))
    return Finding("limits_in_force", True, ", ".join(text))


def _runs(view: View, awaited: Collection[str]) -> Iterator[Finding]:
    """Every scheduled job ran within three of its intervals, and how it ended; the kill switch."""
    for name, interval in INTERVALS.items():
        if name in awaited:
            text = f"new: it has not run yet; it runs every {span(timedelta(seconds=interval))}"
            yield Finding(f"last_run_{name}", None, text)
        else:
            yield _asked(f"last_run_{name}", partial(_run, view, name, interval))
    yield _asked("kill_switch", lambda: _kill_switch(view))


def _kill_switch(view: View) -> Finding:
    document = view.store.read_one(("GET", view.keys.pause), view.meter)
    pause = from_document(Pause, document, view.keys.pause) if document else None
    paused = pause is not None and pause.active(view.now)
    text = f"paused by {pause.set_by}: {pause.reason}" if paused and pause else "off"
    return Finding("kill_switch", not paused, text)


def _trading(view: View, values: Values) -> Iterator[Finding]:
    """Orders in doubt and what resolves each, a new Redis, the ledger's drift, missed and blocked slots."""
    yield Finding(
        "readable", not values.unreadable, "; ".join(values.unreadable) or "all that is stored can be read"
    )
    intents = [content.intent_line(entry, values) for entry in values.open_intents]
    intents += [text for text in values.unreadable if view.keys.orders_open in text]
    text = "; ".join(intents) if intents else "every order is known to its end"
    doubtful = [entry for entry in values.open_intents if entry.state is not IntentState.RESTING]
    yield Finding("open_intents", not doubtful and len(intents) == len(values.open_intents), text)
    yield _asked("redis_continuity", lambda: _continuity(view))
    yield _asked("ledger_drift", lambda: _drift(values))
    yield _missed(values)
    yield _asked("wanted_to_trade", lambda: _blocked_slots(values))


def _missed(values: Values) -> Finding:
    expected, missed = missed_slots(values.reports, values.now)
    rows = sum(1 for before, after in pairwise(missed) if after - before == QUARTER)
    listed = ", ".join(f"{slot:%H:%M}" for slot in missed[:8]) + (", \u2026" if len(missed) > 8 else "")
    text = f"{len(missed)} of {expected} slots of the last day have no report" + (f": {listed}" if missed else "")
    return Finding("missed_slots", not rows, text)


def _blocked_slots(values: Values) -> Finding:
    count = attention.blocked_slots(values.reports) if values.mode == "live" else 0
    text = f"the last {count} slots wanted to trade and filled nothing: {content.why(values)}"
    return Finding(
        "wanted_to_trade",
        count < attention.BLOCKED_SLOTS_ALARM,
        text if count else "no slot wanted to trade and could not",
    )


def _continuity(view: View) -> Finding:
    """Whether orders may exist that this Redis does not know yet."""
    key = view.keys.continuity
    document = view.store.read_one(("GET", key), view.meter)
    known = None if document is None else from_document(Continuity, document, key)
    if known is None or known.searched:
        return Finding("redis_continuity", True, "this Redis knows every order it can know")
    until = known.since + NOT_PLACED_AFTER
    text = f"this Redis was first seen at {known.since:%H:%M:%S}: no order leaves before {until:%H:%M:%S}, when "
    return Finding(
        "redis_continuity", None, f"{text}the next run asks the exchange for all orders of the last days"
    )


def _drift(values: Values) -> Finding:
    """Coins that no fill explains: a few are manual transfers, many mean that fills are missing.

    A flow older than a day has been reported before; only a person knows whether it was a transfer.
    """
    off, held = values.drift_quantity, values.cost.get("account_quantity") or ZERO
    text = content.ledger_sentence(values)
    if not off:
        return Finding("ledger_drift", True, text)
    share = quotient(abs(off), max(held, abs(off)))
    text += f" ({percent(share, 2)} of them): a deposit or a withdrawal if you made one, else fills are missing"
    if share <= DRIFT_LIMIT:
        return Finding("ledger_drift", True, text)
    moved = [flow.at for flow in values.flows if flow.base]
    old = bool(moved) and values.now - max(moved) > OLD_DRIFT_AFTER
    return Finding("ledger_drift", None if old else False, f"{text} \u2192 restore")


def _run(view: View, name: str, interval: int) -> Finding:
    report = view.store.read_one(("GET", view.keys.report_last(name)), view.meter)
    if report is None:
        return Finding(f"last_run_{name}", False, "it has never run")
    age = age_seconds(report.get("timestamp"), view.now)
    well = report.get("status") in ENDED_WELL and not late(age, interval)
    return Finding(f"last_run_{name}", well, f"{report.get('status')}, {age} s ago")


def _exchange(view: View, exchange: Mexc) -> Iterator[Finding]:
    """The clock, the symbol, and what the key may do."""
    yield _asked("clock", lambda: _clock(view, exchange))
    yield _asked("symbol_tradable", lambda: _symbol(exchange))
    if view.settings.has_keys:
        yield _asked("key_may_trade_symbol", lambda: _key(view, exchange))
        yield _asked("key_reads_account", lambda: _account(exchange))
    else:
        yield Finding("key", None, "this function has no exchange key: what the jobs' key may do is not seen here")
    created = view.settings.mexc_key_created
    if created is not None:
        age = (view.now.date() - created).days
        text = f"the exchange key is {age} days old; one without an IP dies at {KEY_LIFE_DAYS}"
        yield Finding("key_age", age < KEY_WARNING_DAYS, text)
    yield Finding(
        "key_without_withdrawal",
        None,
        "the API does not show a key's withdrawal right: look at the exchange's key page",
    )


def _asked(name: str, ask: Callable[[], Finding]) -> Finding:
    """The finding; an error of the exchange or a malformed key is a finding too, and does not end the report."""
    try:
        return ask()
    except BotError as error:
        return Finding(name, False, str(error))
    except MALFORMED_DOCUMENT:
        return Finding(name, False, content.CANNOT_BE_SHOWN)


def _clock(view: View, exchange: Mexc) -> Finding:
    before = view.clock.now()
    server = exchange.time()
    middle = before + (view.clock.now() - before) / 2
    off = round((server - middle).total_seconds() * 1000)
    text = f"the exchange's clock is {off} ms ahead of ours; this check allows {CLOCK_LIMIT_MS} ms either way"
    return Finding("clock", abs(off) <= CLOCK_LIMIT_MS, text)


def _symbol(exchange: Mexc) -> Finding:
    rules = exchange.exchange_info().value
    sides = " and ".join(side.value for side in rules.sides) or "no side"
    text = "; ".join(rules.closed) or f"open to the API, {sides}"
    return Finding("symbol_tradable", not rules.closed and bool(rules.sides), text)


def _key(view: View, exchange: Mexc) -> Finding:
    symbol = view.settings.symbol
    listed = symbol in exchange.self_symbols().value
    return Finding("key_may_trade_symbol", listed, f"{symbol} is {'' if listed else 'not '}in the key's pair list")


def _account(exchange: Mexc) -> Finding:
    account = exchange.account().value
    return Finding("key_reads_account", account.can_trade, f"canTrade is {account.can_trade}")
