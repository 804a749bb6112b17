"""A level of a policy: when drift calls for an order, and where the mix goes back to (contract.md §11).

Kept apart from the policy: every function reads the settings that state levels, but only two plan by them.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from common.decimals import ZERO
from common.domain.orders.order import OrderStyle

HALF = Decimal("0.5")


class Destination(StrEnum):
    """Where a level goes back to, other than a number of points: half of the drift, or the trigger itself."""

    TARGET = "target"
    HALF = "half"
    EDGE = "edge"


@dataclass(frozen=True, slots=True)
class Level:
    trigger: Decimal
    destination: Decimal | Destination = Destination.TARGET
    style: OrderStyle = OrderStyle.IOC

    @property
    def points(self) -> Decimal:
        """The destination in points, for a drift that has just reached the trigger."""
        match self.destination:
            case Destination.TARGET:
                return ZERO
            case Destination.HALF:
                return self.trigger * HALF
            case Destination.EDGE:
                return self.trigger
            case points:
                return points
