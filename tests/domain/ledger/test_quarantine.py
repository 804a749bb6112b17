"""How long a ruling on an odd fill is kept: longer than the exchange lists its row."""

from datetime import timedelta

from common.domain.ledger.ledger import MEMORY
from common.domain.ledger.quarantine import OddFill, Quarantine, Quarantined, Ruling
from tests.fakes import NOON

DAY = timedelta(days=1)
ODD = OddFill("77X1", "the price is no number", "{}", NOON)


def test_a_ruling_outlives_the_row_on_the_exchange_by_two_days_and_an_open_row_is_never_forgotten() -> None:
    ruled = Quarantine((Quarantined(ODD, Ruling("me", NOON, None)),))
    assert ruled.after([], [], NOON + MEMORY + 2 * DAY).ruled == {"77X1"}
    assert ruled.after([], [], NOON + MEMORY + 2 * DAY + timedelta(seconds=1)).entries == ()
    unruled = Quarantine((Quarantined(ODD),))
    assert unruled.after([], [], NOON + 400 * DAY).open == (ODD,)
