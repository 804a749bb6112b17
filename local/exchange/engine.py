"""Orders against the book: taking, resting, filling, cancelling, and the resulting balances."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from local.exchange import checks
from local.exchange.account import Account
from local.exchange.amounts import ONE, ZERO, floor_to
from local.exchange.clock import DAY_MS, MINUTE_MS, pieces
from local.exchange.config import MX_SYMBOL, QUOTE_ASSET, ExchangeConfig
from local.exchange.faults import Effects
from local.exchange.market import Level, Market
from local.exchange.market_data import MarketData
from local.exchange.orders import Fill, IdSource, NewOrder, Order, trade_id, whole_second
from local.exchange.refusals import No, Refusal

# A MARKET order is bounded to this distance from the last price, as on the real server.
_MARKET_BOUND = Decimal("0.05")
KEPT = ("account", "orders", "fills", "_ids", "_open", "_client_ids", "_trade_ids", "_advanced_ms")
"""What a stopped exchange needs to continue."""
_AT_ONCE = frozenset({"MARKET", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})


class Engine:
    """Takes orders of one account on several markets. A refused order raises Refusal and changes nothing."""

    def __init__(self, config: ExchangeConfig, markets: dict[str, Market], rng: random.Random, now_ms: int) -> None:
        self.symbol = config.symbol
        self.markets = markets
        self.data = {symbol: MarketData(market) for symbol, market in markets.items()}
        balances = {config.base_asset: Decimal(1_000), QUOTE_ASSET: Decimal(500)}
        self.account = Account(balances if config.balances is None else config.balances)
        self.fees = config.fees
        self.options = config.options
        self.key_symbols = frozenset({config.symbol})
        self.key_permissions = config.key_permissions
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self._ids = IdSource(rng)
        self._open: dict[str, Order] = {}
        self._client_ids: set[str] = set()
        self._trade_ids: set[str] = set()
        self._advanced_ms = now_ms

    def check(self, new: NewOrder, effects: Effects, now_ms: int) -> None:
        """Check everything but funds."""
        market = self.markets[new.symbol]
        rules = effects.rules(market.rules)
        if not self.account.can_trade:
            raise Refusal(No.ACCOUNT_MAY_NOT_TRADE)
        key_allows = new.symbol in self.key_symbols and not effects.key_symbol_closed
        checks.check_open(new, rules, key_allows=key_allows)
        checks.check_size_and_price(new, rules, market.mid_price(now_ms))
        if effects.refuse_duplicates and new.client_order_id in self._client_ids:
            raise Refusal(No.DUPLICATE_CLIENT_ID)
        if len(self._open) >= self.options.max_open_orders:
            raise Refusal(No.TOO_MANY_OPEN_ORDERS)

    def check_funds(self, new: NewOrder, now_ms: int) -> None:
        """Check that the funds for this order's hold are free."""
        self._require_funds(self._made(new, "", Effects(), now_ms))

    def place(self, new: NewOrder, effects: Effects, now_ms: int) -> Order:
        """Accept an order, match it at once according to its type, and keep the rest in the book."""
        self.check(new, effects, now_ms)
        market = self.markets[new.symbol]
        levels = market.book(now_ms).opposite(new.side)
        if new.type == "MARKET" and not levels:
            raise Refusal(No.NO_OPPOSING_ORDER)
        order = self._made(new, self._ids.order_id(), effects, now_ms)
        self._require_funds(order)
        would_take = bool(levels) and order.crosses(levels[0].price)
        post_only = order.type == "LIMIT_MAKER"
        if post_only and would_take and self.options.limit_maker_crossing == "refuse":
            raise Refusal(No.WOULD_TAKE)
        if effects.stale_balances_ms:
            self.account.keep_showing(self.account.rows(), now_ms + effects.stale_balances_ms)
        self.account.lock(order.hold_asset, order.hold)
        self.orders[order.order_id] = self._open[order.order_id] = order
        if order.client_order_id is not None:
            self._client_ids.add(order.client_order_id)
        if would_take and not post_only:
            self._take(order, market, levels, effects, now_ms)
        if order.is_open and (order.type in _AT_ONCE or (post_only and would_take)):
            self.cancel(order, now_ms)
        return order

    def cancel(self, order: Order, now_ms: int) -> None:
        """Cancel what is left of an open order."""
        if not order.is_open:
            raise Refusal(No.UNKNOWN_ORDER)
        order.updated_ms = now_ms
        order.status = "PARTIALLY_CANCELED" if order.executed else "CANCELED"
        self._let_go(order)

    def open_orders(self) -> list[Order]:
        return list(self._open.values())

    def rewind(self, now_ms: int) -> None:
        """Continue from an earlier time after the clock was set back."""
        self._advanced_ms = now_ms
        for market in self.markets.values():
            market.rewind(now_ms)

    def advance(self, now_ms: int) -> None:
        """Let time pass: fill resting orders that the price path went through since the last call.

        A resting order fills when the price goes beyond it, not when it is only touched; at most once a minute, by
        the best price of that minute, however often this is called. How much reaches it depends on its place in the
        queue.
        """
        since_ms, self._advanced_ms = self._advanced_ms, max(self._advanced_ms, now_ms)
        if not self._open or now_ms < since_ms:
            return
        for symbol in sorted({order.symbol for order in self._open.values()}):
            market = self.markets[symbol]
            # A day in which no order can be reached is skipped as a whole.
            for begin_ms, end_ms in pieces(since_ms, now_ms, DAY_MS):
                low, high = market.extremes(begin_ms, end_ms)
                resting = (order for order in self._open.values() if order.symbol == symbol)
                if any(low < o.price if o.side == "BUY" else high > o.price for o in resting):
                    for piece in pieces(begin_ms, end_ms, MINUTE_MS):
                        self._match_resting(market, *piece)

    def _match_resting(self, market: Market, since_ms: int, now_ms: int) -> None:
        minute = now_ms // MINUTE_MS
        waiting = [o for o in self.open_orders() if o.symbol == market.symbol and o.offered_minute != minute]
        if not waiting:
            return
        extremes = dict(zip(("BUY", "SELL"), market.extremes(since_ms, now_ms), strict=True))
        # Best priced first, then oldest; together they get no more than was traded through them.
        given = {"BUY": ZERO, "SELL": ZERO}
        for order in sorted(waiting, key=lambda o: -o.price if o.side == "BUY" else o.price):
            # Sized as at the start of the minute, so that the moment of the call does not matter.
            through = market.traded_through(order.side, order.price, extremes[order.side], minute * MINUTE_MS)
            ahead = market.queue_ahead(order.order_id, minute)
            offered = floor_to(through * (ONE - ahead), market.rules.quantity_step) - given[order.side]
            quantity = min(order.remaining, offered)
            if quantity <= 0:
                continue
            given[order.side] += quantity
            order.offered_minute = minute
            self._fill(order, order.price, quantity, now_ms, maker=True)
            self._settle(order, now_ms, done=order.remaining == 0)

    def _made(self, new: NewOrder, order_id: str, effects: Effects, now_ms: int) -> Order:
        market = self.markets[new.symbol]
        mid, rules, buys = market.mid_price(now_ms), market.rules, new.side == "BUY"
        quantity = new.quantity
        if quantity is None:
            quantity = floor_to((new.quote_quantity or ZERO) / mid, rules.quantity_step)
        bound = mid * (ONE + _MARKET_BOUND if buys else ONE - _MARKET_BOUND)
        fee_held = self.options.hold_includes_fee and self.fees.asset == "QUOTE" and buys
        order = Order(
            symbol=new.symbol,
            order_id=order_id,
            client_order_id=new.client_order_id,
            side=new.side,
            type=new.type,
            price=market.round_price(bound) if new.price is None else new.price,
            quantity=quantity,
            created_ms=now_ms,
            updated_ms=now_ms,
            visible_ms=now_ms + effects.hide_order_ms,
            hold_asset=QUOTE_ASSET if buys else rules.base_asset,
            hold_rate=self.fees.taker if fee_held else ZERO,
            # A sale sized by quote is converted into a quantity once; a buy spends its budget.
            quote_budget=new.quote_quantity if new.quantity is None and buys else None,
            fills_hidden_ms=effects.hide_trades_ms,
        )
        order.hold = order.hold_wanted
        return order

    def _require_funds(self, order: Order) -> None:
        if self.account.free(order.hold_asset) < order.hold:
            raise Refusal(No.INSUFFICIENT_POSITION if order.side == "BUY" else No.OVERSOLD)

    def _take(self, order: Order, market: Market, levels: tuple[Level, ...], effects: Effects, now_ms: int) -> None:
        step, share = market.rules.quantity_step, effects.fill_fraction
        want = order.remaining if share is None else floor_to(order.remaining * share, step)
        budget = order.quote_budget
        if budget is not None and share is not None:
            budget *= share
        taken: list[Level] = []
        for level in levels:
            wanted = want if budget is None else floor_to(budget / level.price, step)
            quantity = min(level.quantity, wanted)
            if quantity <= 0 or not order.crosses(level.price):
                break
            taken.append(Level(level.price, quantity))
            want -= quantity
            if budget is not None:
                budget -= quantity * level.price
        total = sum((level.quantity for level in taken), ZERO)
        if not taken or (order.type == "FILL_OR_KILL" and total < order.quantity):
            return
        market.take(order.side, total, now_ms)
        order.offered_minute = now_ms // MINUTE_MS
        for level in taken:
            self._fill(order, level.price, level.quantity, now_ms, maker=False)
        done = order.remaining == 0
        if order.quote_budget is not None:
            done = order.quote_budget - order.executed_quote < step * taken[-1].price
        self._settle(order, now_ms, done=done)

    def _fill(self, order: Order, price: Decimal, quantity: Decimal, now_ms: int, *, maker: bool) -> None:
        account, base, buys = self.account, self.markets[order.symbol].rules.base_asset, order.side == "BUY"
        quote = price * quantity
        mx_price = self.markets[MX_SYMBOL].mid_price(now_ms)
        rate = self.fees.maker if maker else self.fees.taker
        fee, fee_asset = account.commission(self.fees, rate, order.side, base, quantity, quote, mx_price)
        order.executed += quantity
        order.executed_quote += quote
        freed = order.hold - order.hold_wanted
        account.spend_locked(order.hold_asset, freed)
        order.hold -= freed
        account.credit(QUOTE_ASSET, freed - quote if buys else quote)
        if buys:
            account.credit(base, quantity)
        # A fee that is not covered (a hold without it, all spent) is waived: balances never go negative.
        fee = min(fee, account.free(fee_asset))
        account.credit(fee_asset, -fee)
        order.fills += 1
        self.seed_fill(
            Fill(
                symbol=order.symbol,
                trade_id=trade_id(order.order_id, order.fills),
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                price=price,
                quantity=quantity,
                quote_quantity=quote,
                commission=fee,
                commission_asset=fee_asset,
                time_ms=whole_second(now_ms),
                is_buyer=buys,
                is_maker=maker,
                visible_ms=max(order.visible_ms, now_ms + order.fills_hidden_ms),
            )
        )

    def _settle(self, order: Order, now_ms: int, *, done: bool) -> None:
        order.updated_ms = now_ms
        order.status = "FILLED" if done else "PARTIALLY_FILLED"
        if done:
            self._let_go(order)

    def _let_go(self, order: Order) -> None:
        self.account.release(order.hold_asset, order.hold)
        order.hold = ZERO
        del self._open[order.order_id]

    def kept(self) -> dict[str, Any]:
        """The state from which a later engine continues: account, orders and fills."""
        return {name: getattr(self, name) for name in KEPT}

    def go_on(self, kept: Mapping[str, Any]) -> None:
        for name in KEPT:
            setattr(self, name, kept[name])

    def seed_fill(self, fill: Fill) -> None:
        """Add to the history only: balances do not change, so that tests can make the two disagree."""
        if fill.trade_id in self._trade_ids:
            raise ValueError(f"trade id {fill.trade_id} is taken")
        self._trade_ids.add(fill.trade_id)
        self.fills.append(fill)
