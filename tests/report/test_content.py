"""What the report says: the sentence, what is next, and the ten lines an operator reads first."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from common.domain.decision.triggers import Trigger
from common.domain.instrument import Side
from common.domain.orders.journal import IntentState, JournalEntry
from common.domain.orders.order import OrderStyle
from common.domain.orders.program import Program
from common.domain.performance.attribution import Attribution
from common.domain.performance.attribution_state import AttributionState
from common.domain.performance.equity import Shares
from common.report import content
from common.report.missed import missed_slots
from common.report.mix import Mix
from common.report.values import INTERVALS, Values, settings_hash
from common.report.words import money, price
from tests.builders import QRL, d
from tests.conftest import MakeBot
from tests.fakes import NOON
from tests.report.values import SLOT, order, report, values

SOME = values(days=20, slots=40)


def worked() -> Attribution:
    """The worked example of contract.md §13."""
    state = Attribution.begin(NOON - timedelta(days=31), d(100), d(100), d(1), d("0.5"))
    state = state.fill(d(-25), d("-49.85"), d(2), quote_fee=d("0.024925"))
    state = state.flow(d(0), d(50), d("1.5"))
    return state.fill(d(62), d("62.186"), d(1), base_fee=d("0.031"))


def told(state: Attribution, at: str) -> Values:
    lines = state.at(d(at))
    document = {name: getattr(lines, name) for name in type(lines).__slots__} | {"since": lines.since.isoformat()}
    return Values(
        QRL,
        NOON,
        cost={"attribution": document},
        attribution_state=AttributionState(state, Shares.begin(d(1), d(1)), NOON, NOON),
    )


def test_the_sentence_says_what_it_brought_what_it_cost_and_up_to_which_price() -> None:
    assert content.sentence(told(worked(), "1.1")) == (
        "+28.30 USDT against holding in 31 days, costs 0.39; ahead while the price is above 0.3344"
    )
    sold = Attribution.begin(NOON - timedelta(hours=5), d(100), d(100), d(1), d("0.5")).fill(d(-25), d(-50), d(2))
    assert content.sentence(told(sold, "1.5")) == (
        "+12.50 USDT against holding in 5 hours, costs 0.00; ahead while the price is below 2.00"
    )
    assert content.sentence(told(sold, "3")).startswith("\u221225.00 USDT against holding in 5 hours")
    assert content.sentence(told(sold, "3")).endswith("ahead once the price is below 2.00")


def test_without_trades_the_sentence_names_no_price() -> None:
    still = Attribution.begin(NOON - timedelta(minutes=7), d(100), d(100), d(1), d("0.5"))
    assert content.sentence(told(still, "1.2")) == "0.00 USDT against holding in 7 minutes, costs 0.00"
    assert content.sentence(Values(QRL, NOON)) == content.NOTHING_YET


def test_small_amounts_and_prices_keep_the_figures_that_count() -> None:
    assert [money(d(text)) for text in ("0.0312", "0.5", "1234.5", "0")] == [
        "0.0312",
        "0.50",
        "1\u202f234.50",
        "0.00",
    ]
    assert [price(d(text)) for text in ("0.0205", "1.83", "0.33", "61234.5")] == [
        "0.02050",
        "1.83",
        "0.3300",
        "61\u202f234.50",
    ]


def test_the_last_plan_says_which_check_holds_it() -> None:
    assert content.why(SOME) == (
        "HOLD: Within threshold (the mix is off by 0.14 % of the value; less than 5.00 % is not traded)"
    )
    sell = {
        **(SOME.plan or {}),
        "action": "SELL",
        "reason": "QRL above target",
        "quantity": d(25),
        "notional_usdt": d(50),
    }
    assert content.why(replace(SOME, plan=sell)) == ("SELL 25.0000 QRL (50.00 USDT at 0.02044): QRL above target")
    assert content.why(replace(SOME, plan=None)) == "no plan has been made yet"
    assert "plan       no plan has been made yet" in content.lines(replace(SOME, plan=None))


def test_the_drift_holds_a_plan_and_the_least_order_only_where_the_drift_is_enough() -> None:
    """The rule checks the least order first, as the golden plans have it."""
    least = {"name": "minimum_notional", "value": d("4.6209"), "limit": d(5), "passed": False, "explanation": "x"}
    drift = {"name": "threshold", "passed": False, "explanation": "the mix is off by 0.50 %"}
    for checks, held_by in (
        ([least, drift], "the mix is off by 0.50 %"),
        ([least, drift | {"passed": True}], "an order would take 4.62 USDT; less than 5.00 is not traded"),
    ):
        plan = {**(SOME.plan or {}), "checks": checks}
        assert content.why(replace(SOME, plan=plan)) == f"HOLD: Within threshold ({held_by})"


def test_a_price_that_has_been_passed_is_not_told_as_one_to_come() -> None:
    assert SOME.mix is not None
    mix = replace(SOME.mix, price=d("0.03"), next_trades=(Trigger(d("0.01"), d(7)), Trigger(d("0.02"), d(9))))
    sell = {**(SOME.plan or {}), "action": "SELL", "quantity": d(25), "timestamp": NOON.isoformat()}
    planned = content.triggers(replace(SOME, mix=mix, plan=sell, mode="plan"))
    assert planned == {
        "Buys": "7.0000 QRL at or below 0.01000",
        "Sells": ("nothing in EXECUTION_MODE=plan: the plan of 2 Jan 2026, 12:00 UTC would sell 25.0000 QRL"),
    }
    held = content.triggers(replace(SOME, mix=mix, plan={**sell, "action": "HOLD"}, mode="plan"))
    assert held["Sells"] == "in the next plan, if nothing holds it: the price is not below 0.02000"
    live = content.triggers(replace(SOME, mix=replace(mix, price=d("0.02")), plan=sell))
    assert live["Sells"] == "in the next plan, if nothing holds it: the price is not below 0.02000"
    low = content.triggers(replace(SOME, mix=replace(mix, price=d("0.01"))))
    assert low["Buys"] == "in the next plan, if nothing holds it: the price is not above 0.01000"
    assert low["Sells"] == "9.0000 QRL at or above 0.02000"


@pytest.mark.parametrize(
    ("weight", "into"),
    [("0.45", "100.00"), ("0.5", "50.00"), ("0.54", "10.00"), ("0.6", "0.00")],
)
def test_a_deposit_goes_first_to_what_is_short(weight: str, into: str) -> None:
    mix = Mix(d(2), 1000 * d(weight), d(1000), d("0.5"), (None, None), ())
    assert f"of 100.00 USDT: {into} would buy" in (content.deposit(replace(SOME, mix=mix)) or "")
    for unknown in (None, replace(mix, total_value=d(0)), replace(mix, price=d(0))):
        assert content.deposit(replace(SOME, mix=unknown)) is None


def intent(**more: Any) -> JournalEntry:
    """An order to buy 12.5 QRL that was sent three minutes ago and has not been seen since."""
    told = {"state": IntentState.UNKNOWN, "reason": "not visible yet", "filled_quantity": d(0)}
    return order(NOON - timedelta(minutes=3), d("12.5"), d("0.02"), **(told | more))


def test_an_open_order_is_told_with_its_age_its_state_and_what_resolves_it() -> None:
    told = content.intent_line(intent(client_order_id="rb1"), Values(QRL, NOON))
    assert told == (
        "rb1: BUY 12.5000 QRL, 3 minutes ago, UNKNOWN (not visible yet): the next run asks the exchange for it "
        "by this id; nothing else is sent until its end is reported"
    )
    assert "never sent" in content.next_step(intent(state=IntentState.PLANNED, sent_at=None), NOON)
    assert "60 s" in content.next_step(intent(sent_at=NOON), NOON)


def test_slots_without_a_report_are_missed_but_not_the_one_under_way() -> None:
    reports = [report(NOON - n * SLOT) for n in (1, 2, 5, 6)]
    due, missed = missed_slots(reports, NOON + timedelta(minutes=3))
    assert (due, missed) == (6, [NOON - 4 * SLOT, NOON - 3 * SLOT])
    assert missed_slots(reports, NOON + SLOT)[1][-1] == NOON
    assert missed_slots([], NOON) == (0, [])
    late = report(NOON - 3 * SLOT, timestamp=(NOON - 2 * SLOT).isoformat())
    assert missed_slots([*reports, late], NOON)[1] == [NOON - 4 * SLOT]


def test_the_lines_are_about_ten_and_start_with_whether_it_trades() -> None:
    lines = content.lines(SOME)
    assert 8 <= len(lines) <= 11
    assert lines[0] == "trading    on"
    assert lines[1] == "open       no order is open"
    paused = {"reason": "look\n into it", "set_by": "me@example.org", "until": None}
    stopped = content.lines(
        replace(SOME, pause=paused, open_intents=[intent(), intent()], unreadable=["k is no JSON"])
    )
    assert stopped[0] == "trading    paused until it is resumed by me@example.org: look into it"
    assert [line[:11].strip() for line in stopped[1:3]] == ["open", ""]
    assert stopped[3] == "unreadable k is no JSON"


def test_what_needs_a_person_comes_first_and_old_data_is_not_told_as_of_now() -> None:
    """A played day that is read weeks later."""
    later = replace(SOME, now=SOME.now + timedelta(days=300), mode="live")
    lines = content.lines(later)
    assert [line[:11].strip() for line in lines[:4]] == ["runs", "", "trading", "open"]
    assert all("LATE" in line for line in lines[:2])
    assert lines[2] == "trading    on, but fifteen_min_job last ran 300 days ago"
    assert content.sentence(later) == content.sentence(SOME)


def test_a_pause_whose_time_has_come_is_none() -> None:
    over = {"reason": "r", "set_by": "me", "until": (SOME.now - timedelta(seconds=1)).isoformat()}
    assert content.trading(replace(SOME, pause=over)) == "on"
    assert "EXECUTION_MODE=plan" in content.trading(replace(SOME, mode="plan"))


def test_a_run_that_is_late_or_failed_stands_out() -> None:
    old = (SOME.now - timedelta(minutes=30)).isoformat()
    runs = {
        "price": {"status": "success", "timestamp": old},
        "cost": {"status": "error", "reason": "x", "timestamp": old},
        "fifteen_min_job": {"status": "partial", "timestamp": SOME.now.isoformat()},
    }
    told = {name: (text, good) for name, text, good in content.runs(replace(SOME, runs=runs))}
    assert told["price"] == ("success, 30 minutes ago, LATE", False)
    assert told["cost"] == ("error (x), 30 minutes ago, LATE", False)
    assert told["fifteen_min_job"] == ("partial, 0 s ago", False), "a leg failed: `verify` says so too"
    assert told["balance"] == ("has never run", False)


def test_a_job_is_late_after_three_of_its_slots_and_a_minute() -> None:
    """`verify` holds the same line (tests/ops/test_verify.py)."""
    for name, seconds in INTERVALS.items():
        for more, good in ((60, True), (61, False)):
            at = SOME.now - timedelta(seconds=3 * seconds + more)
            runs = {name: {"status": "success", "timestamp": at.isoformat()}}
            told = {job: (text, well) for job, text, well in content.runs(replace(SOME, runs=runs))}
            assert (told[name][1], "LATE" in told[name][0]) == (good, not good), (name, more)


def test_the_hash_of_the_settings_follows_what_bears_on_decisions_only(make_bot: MakeBot) -> None:
    plain = settings_hash(make_bot().settings)
    for name, value in (
        ("MEXC_SECRET_KEY", "other"),
        ("MEXC_KEY_CREATED", "2026-01-01"),
        ("REDIS_KEY_PREFIX", "dev:"),
        ("SCHEDULER_SERVICE_ACCOUNT", "jobs@example.org"),
        ("OPERATOR_ACCOUNTS", "me@example.org"),
        ("OIDC_AUDIENCE", "https://example.org"),
        ("JOURNAL_FOLDER", "lines"),
        ("HTTPS_PROXY", "http://proxy:3128"),
        ("GOOGLE_CLOUD_PROJECT", "mine"),
        ("LOG_LEVEL", "DEBUG"),
        ("K_REVISION", "balance-00002"),
    ):
        assert settings_hash(make_bot(**{name: value}).settings) == plain, name
    assert settings_hash(make_bot(THRESHOLD_PCT="0.02").settings) != plain


def test_a_fill_that_cannot_be_booked_and_a_program_of_slices_are_not_at_their_end() -> None:
    odd = {"id": "77X1", "reason": "the price is no number", "seen_at": (SOME.now - timedelta(hours=3)).isoformat()}
    program = Program(Side.SELL, d("0.01"), OrderStyle.IOC, SOME.now, 3)
    told = content.lines(replace(SOME, cost={**SOME.cost, "quarantine": [odd]}, program=program))
    assert told[0] == (
        "open       fill 77X1 cannot be booked (the price is no number), 3 hours ago: "
        "nothing is ordered until `book-fill` or `ignore-fill`"
    )
    assert told[1].strip().startswith("in slices: SELL to 1.00 % off")
