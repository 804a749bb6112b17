"""The yearly cost of the band in force, beside the best one and the usual one (contract.md §11, Guidance)."""

from decimal import Decimal

from common.decimals import ZERO, exact, quotient
from common.domain.decision.advice import band_of
from common.domain.decision.band import Band, best_band, orders_a_year, yearly_loss
from common.domain.decision.levels import Level
from common.report.values import Values
from common.report.words import money, percent

HEADS = ["Band", "trades at", "back to", "an order", "orders a year", "loses a year"]
USUAL = Level(Decimal("0.01"))


@exact
def rows(values: Values) -> list[list[str]]:
    """A row for each band at today's cost and value and a volatility of 100 %; empty without a plan or cost.

    The same band under two names is one row.
    """
    plan, policy, mix = values.plan, values.policy, values.mix
    if plan is None or not policy or not policy.get("cost") or mix is None or not mix.total_value:
        return []
    cost, weight, total = policy["cost"]["one_way"], mix.target_weight, mix.total_value
    least = quotient(plan["settings"].get("min_notional_usdt") or ZERO, total)
    first = policy["levels"][0]
    bands = {
        "in force": band_of(Level(first["trigger"], first["destination"]), least),
        "best half-way": best_band(cost, weight, least),
        "one point to the target": band_of(USUAL, least),
    }
    named: dict[Band, list[str]] = {}
    for name, band in bands.items():
        named.setdefault(band, []).append(name)
    return [[", ".join(names), *_cells(band, cost, weight, total, values.quote)] for band, names in named.items()]


def _cells(band: Band, cost: Decimal, weight: Decimal, total: Decimal, quote: str) -> list[str]:
    loss, orders = yearly_loss(band, cost, weight), orders_a_year(band, weight)
    return [
        percent(band.trigger),
        percent(band.destination),
        f"{money(band.size * total)} {quote}",
        f"{orders:.0f}" if orders is not None else "many",
        f"{percent(loss, 2)}, {money(loss * total)} {quote}",
    ]
