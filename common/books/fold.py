"""The books as values, and what news makes of them: no I/O, the same for every job that reads fills."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.decimals import ZERO, exact
from common.domain.instrument import Instrument
from common.domain.ledger.ledger import Absorbed, Gap, Ledger, decided, once, was_before
from common.domain.ledger.position import FifoView
from common.domain.ledger.quarantine import OddFill, Quarantine
from common.domain.ledger.sequence import RULE
from common.domain.order_book import OrderBook
from common.domain.orders.order import Fill
from common.domain.performance.benchmark import Inception, Moved
from common.domain.performance.equity import Flow
from common.domain.performance.track import Track, without
from common.domain.portfolio import Holdings


class Books(NamedTuple):
    """The ledger, the lots of what it has sealed, the inception, the attribution's track, and odd fills.

    Nothing but the last before the first run.
    """

    ledger: Ledger | None = None
    lots: FifoView | None = None
    inception: Inception | None = None
    track: Track | None = None
    quarantine: Quarantine = Quarantine()

    @property
    def tail(self) -> tuple[Fill, ...]:
        """The fills of the last hour."""
        return self.ledger.tail if self.ledger else ()


class News(NamedTuple):
    """What was read: `fills` are new, or told better than in the tail; `odd` rows cannot be booked.

    `known` are all fills that are stored and `flows` all flows, read where something has to be folded anew.
    """

    fills: tuple[Fill, ...]
    read_until: datetime
    gaps: tuple[Gap, ...] = ()
    odd: tuple[OddFill, ...] = ()
    looked_back: bool = False
    place_in_the_future: bool = False
    known: tuple[Fill, ...] | None = None
    flows: tuple[Flow, ...] = ()


class Sight(NamedTuple):
    """The account and the price that the books are held against; `mid_price` is the last price without a book.

    `lags` says that the balances are known not to show the fills of the bot's own order yet.
    """

    holdings: Holdings
    mark_price: Decimal
    mid_price: Decimal
    lags: bool = False

    @classmethod
    def of(cls, holdings: Holdings, mark_price: Decimal, book: OrderBook | None = None) -> "Sight":
        sound = book is not None and book.problem is None
        return cls(holdings, mark_price, book.mid_price if book and sound else mark_price)


class Terms(NamedTuple):
    """Whose books they are: the pair, the exchange's address, and the target weight."""

    instrument: Instrument
    exchange: str
    weight: Decimal


class Folded(NamedTuple):
    """The books after the news, and what of it is to be recorded.

    `sight` has its balances stamped by `decided`; `settled` says that lots were sealed. `confirmed` is a flow that
    counts from now on, `flows` are all of them where they had to be corrected.
    """

    sight: Sight
    ledger: Ledger
    lots: FifoView
    inception: Inception
    track: Track
    anew: bool
    settled: bool
    confirmed: Flow | None = None
    flows: tuple[Flow, ...] | None = None


def needs_the_whole(books: Books, fills: Iterable[Fill], place_in_the_future: bool) -> bool:
    """Whether the news can only be taken in with every stored fill at hand.

    A fill that is late, a ledger that an older version ordered, a track that is not there yet, or a key lost.
    """
    held = {fill.fill_id for fill in books.tail}
    new = [fill for fill in fills if fill.fill_id not in held]
    ledger, track = books.ledger, books.track
    if ledger is None:
        return books.inception is not None
    if place_in_the_future or ledger.order_rule != RULE or track is None or books.lots is None:
        return True
    return any(ledger.is_late(fill) for fill in new) or not track.knows(new)


def fold(books: Books, news: News, sight: Sight, terms: Terms) -> Folded:
    """Take the news into ledger, lots, inception and attribution. Pure."""
    instrument, holdings = terms.instrument, sight.holdings
    if books.ledger is None:
        holdings = decided(holdings, None, news.fills, instrument)
    absorbed = _absorbed(books, news, holdings, terms)
    ledger = absorbed.ledger
    if books.ledger is not None:
        holdings = decided(holdings, ledger, ledger.tail, instrument)
    sight = sight._replace(holdings=holdings)
    lots = FifoView() if absorbed.anew or books.lots is None else books.lots
    lots = lots.fold(absorbed.settled, instrument)
    inception = books.inception
    if inception is None:
        then = ledger.position(instrument, holdings.as_of)
        quantities = holdings.base.total, holdings.quote.total
        inception = Inception(holdings.as_of, *quantities, sight.mark_price, Moved.by(then))
    elif absorbed.explaining:
        inception = inception.after(absorbed.explaining, instrument)
    track, confirmed, flows = _tracked(books, news, ledger, inception, sight, terms)
    settled = absorbed.anew or bool(absorbed.settled)
    return Folded(sight, ledger, lots, inception, track, absorbed.anew, settled, confirmed, flows)


def _absorbed(books: Books, news: News, holdings: Holdings, terms: Terms) -> Absorbed:
    ledger, instrument = books.ledger, terms.instrument
    if ledger is None:
        quantity, as_of = holdings.base.total, holdings.as_of
        return Ledger.first(news.read_until, news.fills, quantity, as_of, instrument, terms.exchange)
    if news.place_in_the_future:
        ledger = ledger.set_back(news.read_until)
    ledger = replace(
        ledger,
        gaps=(*ledger.gaps, *(gap for gap in news.gaps if gap not in ledger.gaps)),
        exchange=ledger.exchange or terms.exchange,
        looked_back_on=news.read_until.date() if news.looked_back else ledger.looked_back_on,
    )
    if news.known is None:
        return ledger.absorb(news.fills, news.read_until, instrument)
    if not is_whole(books, news, instrument):
        ledger = replace(ledger, order_rule=RULE)
        return ledger.absorb(news.fills, news.read_until, instrument, late_too=True)
    return ledger.rebuilt(once((*news.known, *ledger.tail)), news.fills, instrument, news.read_until)


def is_whole(books: Books, news: News, instrument: Instrument) -> bool:
    """Whether the stored fills explain all that the ledger has counted; if not, what is sealed stands as it is."""
    if books.ledger is None or news.known is None:
        return True
    known = {fill.fill_id for fill in (*news.known, *books.tail)}
    return len(known) >= books.ledger.position(instrument).fill_count


def _tracked(
    books: Books, news: News, ledger: Ledger, inception: Inception, sight: Sight, terms: Terms
) -> tuple[Track, Flow | None, tuple[Flow, ...] | None]:
    """The track after the news; the flow that is confirmed by it, and all flows where late fills explain some."""
    held = {fill.fill_id: fill for fill in (*(news.known or ()), *books.tail)}
    new = [fill for fill in news.fills if fill.fill_id not in held and not was_before(fill, inception.at)]
    track, fresh, flows = books.track, new, None
    if track is None or (news.known is not None and is_whole(books, news, terms.instrument)):
        everything = once((*held.values(), *news.fills))
        late = [fill for fill in new if track is not None and was_before(fill, track.as_of)]
        left = without(news.flows, late, terms.instrument)
        flows = left if left != news.flows else None
        track, fresh = Track.anew(track, inception, everything, left, terms.weight, terms.instrument), []
    else:
        since = [fill for fill in news.fills if not was_before(fill, inception.at)]
        track = track.with_fee_values(_newly_worth(since, held))
    mid = sight.mid_price if sight.mid_price > 0 else track.attribution.price
    track = track.with_weight(terms.weight, mid)
    seen = None if sight.lags else sight.holdings
    track, confirmed = track.after(fresh, seen, mid, ledger.tail, terms.instrument)
    return track, confirmed, flows


@exact
def _newly_worth(fills: Iterable[Fill], held: dict[str, Fill]) -> Decimal:
    """What fees are worth that were valued only now, of fills that count already."""
    known = [fill for fill in fills if fill.fill_id in held and held[fill.fill_id].fee_value is None]
    return sum((fill.fee_value or ZERO for fill in known), ZERO)
