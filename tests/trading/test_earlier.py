"""What a run is held against: earlier prices, the day's middle, and the balances that the last plan saw."""

import pytest

from tests.conftest import Live


def refusal(live: Live, minutes: int) -> str:
    """Why the run of that slot places no order."""
    reason: str = live.run(minutes)["rebalance"]["reason"]
    return reason.removeprefix("Order refused: ")


def test_a_crash_that_the_price_job_has_already_followed_is_seen_by_the_last_plan(live: Live) -> None:
    live.start(MAX_ORDERS_PER_DAY="9")
    live.run()
    live.desk.market.set_price("0.012")
    live.clock.move(840)
    live.call("price")
    live.client.delete("mexc:raw:ticker_24hr:latest")
    assert refusal(live, 15).startswith("the price 0.012 is 40.00 % off the last plan's, 0.02")


def test_a_price_far_from_the_middle_of_the_day_is_seen_by_the_ticker(live: Live) -> None:
    live.desk.market.set_price("0.012")
    live.call("price")
    assert "off the middle of the last 24 hours, 0.0161535" in refusal(live, 0)


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        (60, "the price 0.03 is 50.00 % off the last known one, 0.02; at most 20.00 %"),
        (61, "there is no earlier price to hold this one against"),
    ],
)
def test_a_price_is_held_against_what_was_seen_within_an_hour(minutes: int, reason: str, live: Live) -> None:
    live.clock.move(minutes * 60)
    live.desk.market.set_price("0.03")
    assert live.by_hand()["rebalance"]["reason"] == f"Order refused: {reason}"


@pytest.mark.parametrize("text", ["{broken", "{}", '{"response": {"symbol": "BTCUSDT"}, "timestamp": 5}'])
def test_a_ticker_that_cannot_be_read_is_left_out_and_stops_nothing(text: str, live: Live) -> None:
    live.client.set("mexc:raw:ticker_24hr:latest", text)
    assert live.run()["order"]["status"] == "FILLED"


def test_an_answer_without_the_quote_balance_orders_nothing_and_is_looked_at_again(live: Live) -> None:
    """400 USDT are gone from one answer, and back in the next."""
    live.start(MAX_BALANCE_JUMP="0.2", THRESHOLD_PCT="0.3", MAX_ORDERS_PER_DAY="9")
    assert refusal(live, 0) == "Within threshold"
    live.start(MAX_BALANCE_JUMP="0.2")
    live.desk.market.hold(QRL="30000", USDT="0")
    for minutes in (15, 45):
        assert refusal(live, minutes) == "Balances changed without a fill: looking once more"
        live.desk.market.hold(QRL="30000", USDT="400")
    assert live.sent == 0
    assert live.run(60)["order"]["status"] == "FILLED"


def test_a_deposit_that_stays_is_decided_on_by_the_next_run(live: Live) -> None:
    live.start(THRESHOLD_PCT="0.3")
    live.run()
    live.start()
    live.desk.market.hold(QRL="30000", USDT="2000")
    assert refusal(live, 15) == "Balances changed without a fill: looking once more"
    assert live.run(30)["order"]["side"] == "BUY"


def test_the_bots_own_fills_are_no_jump(live: Live) -> None:
    """Half of 1000 moved by an order of 1000 at most: the next plan sees the fills and goes on."""
    live.desk.market.hold(QRL="60000", USDT="0")
    assert live.run()["order"]["status"] == "FILLED"
    assert "Balances changed" not in refusal(live, 15)


def test_a_second_plan_in_the_second_of_a_fill_has_seen_that_fill(live: Live) -> None:
    """`rebalance` by hand while the order's second still runs: its balances have the fill, the next slot's too."""
    live.desk.latency = 0.0
    live.desk.market.hold(QRL="60000", USDT="0")
    order = live.run()["order"]
    assert order["status"] == "FILLED"
    second = live.by_hand()["rebalance"]
    assert second["timestamp"][:19] == order["sent_at"][:19]
    assert second["usdt_balance"] > 0
    assert "Balances changed" not in refusal(live, 15)


@pytest.mark.parametrize(("ahead_ms", "plans"), [(-800, 1), (5000, 2)])
def test_own_fills_are_placed_by_our_clock_whatever_the_exchanges_says(
    ahead_ms: int, plans: int, live: Live
) -> None:
    """Stamped before the plan that ordered them, and stamped after the next one, whose balances have them."""
    live.desk.market.sim("clock", advance_ms=ahead_ms)
    live.desk.market.hold(QRL="60000", USDT="0")
    assert live.run(30)["order"]["status"] == "FILLED"
    for _ in range(plans - 1):
        assert live.by_hand()["rebalance"]["usdt_balance"] > 0
    assert "Balances changed" not in refusal(live, 45)
