"""Every error of the bot, in a tree by what the caller does next. Imports nothing.

BotError
├── ConfigurationError        a human must correct it; no retry helps               HTTP 500
├── CallerError
│   ├── MissingCredentials    no valid credential                                   HTTP 401
│   └── ForbiddenCaller       a valid token of somebody else                        HTTP 403
├── CertificatesUnavailable   tokens cannot be checked now; a retry may help        HTTP 503
├── BadRequest                the query cannot be read                              HTTP 400
├── InvalidAmount             a number that is not a finite decimal, or is negative HTTP 500
├── StoreError
│   ├── StoreUnreachable      try again later, nothing was stored                   HTTP 503
│   ├── StoreCorrupt          a key holds invalid data; a human must look           HTTP 500
│   ├── LeaseLost             the run took longer than its lease: nothing stored    HTTP 503
│   └── LeaseAbandoned        the run that holds the lease died: it ends in seconds HTTP 503
├── LeaseHeld                 another run is under way: nothing to do               HTTP 200
├── ClockOff                  hold: our clock is over a minute off, a human sets it HTTP 503
└── ExchangeError
    ├── ExchangeUnavailable   network, time-out, 5xx on a read: the next run        HTTP 503
    │   └── RateLimited       the same, after `retry_after` seconds                 HTTP 503
    ├── OutcomeUnknown        a write whose outcome is open: look up, never resend  HTTP 503
    ├── UnreadablePayload     a reply that is not what the exchange documents       HTTP 502
    └── ExchangeRefused       a definite no, with the exchange's code               HTTP 502
        ├── AccessRefused     key, permission, IP or account: stop, a human must act
        ├── ClockRefused      outside recvWindow: resync and retry once
        ├── OrderRefused      our order was wrong: never resend as it is
        ├── InsufficientFunds not enough free balance
        ├── SymbolHalted      trading of the symbol is off: try the next slot
        │   └── MarketOrdersClosed  only market orders are off
        └── UnknownOrder      not found, or not yet visible
"""


class BotError(Exception):
    """Base of all errors the bot raises itself; `code` is the stable name in responses and logs."""

    code = "error"
    http_status = 500


class ConfigurationError(BotError):
    code = "configuration"


class CallerError(BotError):
    code = "caller"
    http_status = 401


class MissingCredentials(CallerError):
    code = "missing_credentials"


class ForbiddenCaller(CallerError):
    code = "forbidden_caller"
    http_status = 403


class CertificatesUnavailable(BotError):
    code = "certificates_unavailable"
    http_status = 503


class BadRequest(BotError):
    code = "bad_request"
    http_status = 400


class InvalidAmount(BotError):
    code = "invalid_amount"


class StoreError(BotError):
    code = "store"


class StoreUnreachable(StoreError):
    code = "redis_unreachable"
    http_status = 503


class StoreCorrupt(StoreError):
    code = "redis_value_corrupt"


class LeaseLost(StoreError):
    code = "lease_lost"
    http_status = 503


class LeaseAbandoned(StoreError):
    code = "lease_abandoned"
    http_status = 503


class LeaseHeld(BotError):
    code = "lease_held"
    http_status = 200


class ClockOff(BotError):
    code = "clock_off"
    http_status = 503


class ExchangeError(BotError):
    code = "exchange"
    http_status = 502


class ExchangeUnavailable(ExchangeError):
    code = "exchange_unavailable"
    http_status = 503


class RateLimited(ExchangeUnavailable):
    """`retry_after` is in seconds, None when the exchange did not say."""

    code = "exchange_rate_limited"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(ExchangeError):
    code = "order_outcome_unknown"
    http_status = 503


class UnreadablePayload(ExchangeError):
    code = "exchange_payload_unreadable"


class ExchangeRefused(ExchangeError):
    """`exchange_code` is the exchange's own, None where the body carried none."""

    code = "exchange_refused"

    def __init__(self, message: str, exchange_code: int | None = None) -> None:
        super().__init__(message)
        self.exchange_code = exchange_code


class AccessRefused(ExchangeRefused):
    code = "exchange_access_refused"


class ClockRefused(ExchangeRefused):
    code = "exchange_clock_refused"


class OrderRefused(ExchangeRefused):
    code = "order_refused"


class InsufficientFunds(ExchangeRefused):
    code = "insufficient_funds"


class SymbolHalted(ExchangeRefused):
    code = "symbol_halted"


class MarketOrdersClosed(SymbolHalted):
    code = "market_orders_closed"


class UnknownOrder(ExchangeRefused):
    code = "unknown_order"
