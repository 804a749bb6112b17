"""The attribution updated from fills and balances: every fill once, and what balances show beyond fills as flows.

A fill may show in the balances first and in the list of fills later, or the other way round. So what one reading of
the balances shows beyond all fills is an unconfirmed flow. A reading at least a minute later that still shows it
confirms it, at the time and mid of the first reading. Fills after that first reading wait until then, because
events count in the order of their times. A fill that shows even later is subtracted from the flows it was mistaken
for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from common.decimals import ZERO, exact
from common.domain.instrument import Instrument, Side
from common.domain.ledger.ledger import net_notional, net_quantity, was_before
from common.domain.orders.order import Fill, is_ours
from common.domain.performance.attribution import Attribution, Pair
from common.domain.performance.benchmark import Inception
from common.domain.performance.equity import Flow, Shares
from common.domain.portfolio import Holdings

LASTING = timedelta(minutes=1)
"""How much later a reading must still show a flow: balances may lag behind the fills of an order."""


@dataclass(frozen=True, slots=True)
class AttributionState:
    """`as_of` is the time of the last balances, `unconfirmed` the flow that only they have shown so far.

    `waiting` are the fills since that flow was first seen; they count once it is confirmed or dropped.
    `last_event` is the newest fill or flow that counts, `last_day` the day of the last daily point.
    """

    attribution: Attribution
    shares: Shares
    as_of: datetime
    last_event: datetime
    unconfirmed: Flow | None = None
    last_day: date | None = None
    waiting: tuple[Fill, ...] = ()

    @classmethod
    def begin(cls, inception: Inception, weight: Decimal) -> "AttributionState":
        """From the inception on: its balances already include earlier fills."""
        at, price = inception.at, inception.mark_price
        attribution = Attribution.begin(at, inception.base_quantity, inception.quote_quantity, price, weight)
        return cls(attribution, Shares.begin(attribution.real.value(price), price), at, at)

    @classmethod
    @exact
    def rebuilt(
        cls,
        before: "AttributionState | None",
        inception: Inception,
        fills: Iterable[Fill],
        flows: Iterable[Flow],
        weight: Decimal,
        instrument: Instrument,
    ) -> "AttributionState":
        """Fold every fill and flow since the inception, in order of time.

        What `before` knew of balances and mids is kept.
        """
        since = [fill for fill in fills if not was_before(fill, inception.at)]
        counted, waiting = _apart(since, before.unconfirmed if before else None)
        state = replace(cls.begin(inception, weight)._folded(counted, flows, instrument), waiting=waiting)
        if before is None:
            return state
        shares = replace(state.shares, variance=before.shares.variance, mid=before.shares.mid)
        seen = {name: getattr(before, name) for name in ("as_of", "unconfirmed", "last_day")}
        return replace(state, shares=shares, **seen)

    def knows(self, fills: Iterable[Fill]) -> bool:
        """Whether new fills come after all that counts already, so that they can simply be added."""
        return all(fill.executed_at >= self.last_event for fill in fills)

    @exact
    def after(
        self,
        fresh: Sequence[Fill],
        holdings: Holdings | None,
        mid: Decimal,
        tail: Iterable[Fill],
        instrument: Instrument,
    ) -> tuple["AttributionState", Flow | None]:
        """The state after new fills and a reading of the balances, and the flow that the reading confirms, if any.

        `holdings` is None where they are known to lag behind the fills: then they say nothing about flows.
        `tail` are the ledger's recent fills, including the new ones; fills after the balances are not in them.
        """
        confirmed, unconfirmed = self._flows(fresh, holdings, mid, tail, instrument)
        counted, waiting = _apart((*self.waiting, *fresh), unconfirmed)
        state = self._folded(counted, [confirmed] if confirmed else [], instrument)
        as_of = max(self.as_of, holdings.as_of) if holdings else self.as_of
        return replace(state, as_of=as_of, unconfirmed=unconfirmed, waiting=waiting), confirmed

    def _flows(
        self,
        fresh: Sequence[Fill],
        holdings: Holdings | None,
        mid: Decimal,
        tail: Iterable[Fill],
        instrument: Instrument,
    ) -> tuple[Flow | None, Flow | None]:
        """The part of the earlier flow that the reading confirms, and what is unconfirmed after it.

        Late fills have explained their part of that flow, even if this reading misses it now.
        """
        first = next(iter(without([self.unconfirmed] if self.unconfirmed else [], fresh, instrument)), None)
        if holdings is None or holdings.as_of < self.as_of:
            return None, first
        real = self.attribution.real
        for fill in (*self.waiting, *fresh):
            moved = pair_moved(fill, instrument)
            real = real.plus(moved.base, moved.quote)
        beyond = _beyond(real, holdings, tail, instrument)
        if first is None:
            return None, _flow(holdings.as_of, beyond, mid)
        if holdings.as_of - first.at < LASTING:
            return None, _flow(first.at, beyond, first.mid)
        confirmed = Pair(_common(first.base, beyond.base), _common(first.quote, beyond.quote))
        rest = beyond.plus(-confirmed.base, -confirmed.quote)
        return _flow(first.at, confirmed, first.mid), _flow(holdings.as_of, rest, mid)

    @exact
    def now(self, instrument: Instrument) -> "AttributionState":
        """The state including what is unconfirmed: the account as it was last seen."""
        state = self._folded(self.waiting, [self.unconfirmed] if self.unconfirmed else [], instrument)
        return replace(state, unconfirmed=None, waiting=())

    def with_weight(self, weight: Decimal, mid: Decimal) -> "AttributionState":
        return replace(self, attribution=self.attribution.with_weight(weight, mid))

    def with_fee_values(self, worth: Decimal) -> "AttributionState":
        """After fees in a third asset were valued, of fills that count already."""
        if not worth:
            return self
        total = self.attribution.fees_in_other_assets + worth
        return replace(self, attribution=replace(self.attribution, fees_in_other_assets=total))

    def _folded(self, fills: Iterable[Fill], flows: Iterable[Flow], instrument: Instrument) -> "AttributionState":
        """After these events in the order of their times: fills carry whole seconds, see `was_before`."""
        events: list[tuple[datetime, Fill | Flow]] = [(flow.at.replace(microsecond=0), flow) for flow in flows]
        events += [(fill.executed_at, fill) for fill in fills]
        state = self
        for _, event in sorted(events, key=lambda each: each[0]):
            state = state._flow(event) if isinstance(event, Flow) else state._fill(event, instrument)
        return state

    def _fill(self, fill: Fill, instrument: Instrument) -> "AttributionState":
        """After one fill, of the bot's own order or of somebody else's."""
        signed = 1 if fill.side is Side.BUY else -1
        quantity, notional = signed * fill.quantity, signed * fill.notional
        fees = {
            "quote_fee": fill.fee_in(instrument.quote),
            "base_fee": fill.fee_in(instrument.base),
            "other_fee_value": fill.fee_value or ZERO,
        }
        if is_ours(fill.client_order_id):
            attribution = self.attribution.fill(quantity, notional, fill.mid_price, **fees)
        else:
            attribution = self.attribution.operator_fill(quantity, notional, **fees)
        return replace(self, attribution=attribution, last_event=max(self.last_event, fill.executed_at))

    def _flow(self, flow: Flow) -> "AttributionState":
        """After one flow that counts."""
        shares = self.shares.flow(self.attribution.real.value(flow.mid), flow.value)
        attribution = self.attribution.flow(flow.base, flow.quote, flow.mid)
        last = max(self.last_event, flow.at)
        return replace(self, attribution=attribution, shares=shares, last_event=last)


@exact
def without(flows: Sequence[Flow], late: Iterable[Fill], instrument: Instrument) -> tuple[Flow, ...]:
    """The flows less the late fills that were mistaken for them, each taken from the first flows after it."""
    left = list(flows)
    for fill in late:
        moved = pair_moved(fill, instrument)
        for index, flow in enumerate(left):
            if flow.at < fill.executed_at:
                continue
            taken = Pair(_common(moved.base, flow.base), _common(moved.quote, flow.quote))
            left[index] = replace(flow, base=flow.base - taken.base, quote=flow.quote - taken.quote)
            moved = moved.plus(-taken.base, -taken.quote)
    return tuple(flow for flow in left if flow.base or flow.quote)


@exact
def pair_moved(fill: Fill, instrument: Instrument) -> Pair:
    """What the fill did to the two balances, including fees in either asset."""
    return Pair(net_quantity(fill, instrument), net_notional(fill, instrument))


def _beyond(real: Pair, holdings: Holdings, tail: Iterable[Fill], instrument: Instrument) -> Pair:
    """What the balances show beyond the fills that can be in them."""
    beyond = Pair(holdings.base.total, holdings.quote.total).plus(-real.base, -real.quote)
    for fill in tail:
        if not was_before(fill, holdings.as_of):
            moved = pair_moved(fill, instrument)
            beyond = beyond.plus(moved.base, moved.quote)
    return beyond


def _apart(fills: Iterable[Fill], unconfirmed: Flow | None) -> tuple[tuple[Fill, ...], tuple[Fill, ...]]:
    """The fills that count, and those that wait because an unconfirmed flow came before them."""
    every = tuple(fills)
    waiting = tuple(fill for fill in every if unconfirmed is not None and not was_before(fill, unconfirmed.at))
    return tuple(fill for fill in every if fill not in waiting), waiting


def _common(first: Decimal, second: Decimal) -> Decimal:
    """The common part of two signed amounts: the smaller if their signs agree, else nothing."""
    if (first > 0) != (second > 0) or not first or not second:
        return ZERO
    return min(first, second, key=abs)


def _flow(at: datetime, moved: Pair, mid: Decimal) -> Flow | None:
    return Flow(at, moved.base, moved.quote, mid) if moved.base or moved.quote else None
