"""A simulated MEXC spot exchange, reached over HTTP only. Imports nothing from the bot (common/)."""

from local.exchange.answers import ConnectionDropped, Response
from local.exchange.config import BookShape, ExchangeConfig, Fees, Options, RateLimit, Rules
from local.exchange.exchange import SimulatedExchange
from local.exchange.server import ExchangeServer

__all__ = [
    "BookShape",
    "ConnectionDropped",
    "ExchangeConfig",
    "ExchangeServer",
    "Fees",
    "Options",
    "RateLimit",
    "Response",
    "Rules",
    "SimulatedExchange",
]
