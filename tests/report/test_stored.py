"""The report on what a bot has really stored, day by day on the simulated exchange."""

from tests.conftest import Functions, Live

FUNCTIONS = Functions()


def lines(live: Live) -> dict[str, str]:
    """`status` by the names of its lines."""
    text = FUNCTIONS.get("ops", "status").get_data(as_text=True)
    return {line[:10].strip(): line[11:] for line in text.splitlines()}


def test_the_orders_of_the_day_are_counted_as_the_guards_count_them(live: Live) -> None:
    counts = []
    for minutes in (0, 15, 30, 12 * 60):  # the last slot is of the next day
        live.desk.market.set_price("0.024" if minutes == 15 else "0.02")
        live.call("price")
        live.run(minutes)
        counts.append((live.activity.orders, lines(live)["today"].split(";")[0]))
    assert counts == [(1, "1 of 5 orders"), (2, "2 of 5 orders"), (3, "3 of 5 orders"), (0, "0 of 5 orders")]


def test_after_a_clock_was_set_back_no_time_is_negative(live: Live) -> None:
    live.run()
    live.clock.move(-30 * 3600)
    told = lines(live)
    assert "against holding since a time in the future (a clock was set back)" in told["worth"]
    assert told["plan"].endswith("a time in the future (a clock was set back)")
    assert "-" not in told["worth"] + told["plan"] + told["runs"]
