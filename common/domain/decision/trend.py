"""The trend filter: against a trend the mix is restored later (contract.md §11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from common.decimals import ZERO, exact, quotient
from common.domain.decision.policy import Policy


@dataclass(frozen=True, slots=True)
class Trend:
    """The fast and the slow mean of daily closes."""

    fast: Decimal
    slow: Decimal

    @classmethod
    @exact
    def of(cls, closes: Sequence[Decimal], fast: int, slow: int) -> "Trend | None":
        """From daily closes, oldest first; None when there are fewer than the slow mean needs."""
        if len(closes) < slow:
            return None

        def mean(days: int) -> Decimal:
            return quotient(sum(closes[-days:], ZERO), Decimal(days))

        return cls(mean(fast), mean(slow))

    def rises(self, price: Decimal) -> bool:
        return price > self.fast > self.slow

    def falls(self, price: Decimal) -> bool:
        return price < self.fast < self.slow


def filtered(policy: Policy, trend: Trend, price: Decimal, factor: Decimal) -> Policy:
    """In a rising trend the sell triggers are `factor` times as wide, in a falling one the buy triggers."""
    if trend.rises(price):
        return replace(policy, sell_widening=factor)
    if trend.falls(price):
        return replace(policy, buy_widening=factor)
    return policy
