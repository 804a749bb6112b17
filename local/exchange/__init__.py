"""A simulated MEXC spot exchange, reached over HTTP only. Imports nothing of the bot (common/)."""

from local.exchange.answers import ConnectionDropped, Response
from local.exchange.client import DirectClient, standing
from local.exchange.clock import Clock, ManualClock, SystemClock
from local.exchange.config import (
    BookShape,
    ExchangeConfig,
    Fees,
    Options,
    RateLimit,
    Rules,
)
from local.exchange.exchange import SimulatedExchange
from local.exchange.server import ServerHandle, serve

__all__ = [
    "BookShape",
    "Clock",
    "ConnectionDropped",
    "DirectClient",
    "ExchangeConfig",
    "Fees",
    "ManualClock",
    "Options",
    "RateLimit",
    "Response",
    "Rules",
    "ServerHandle",
    "SimulatedExchange",
    "SystemClock",
    "serve",
    "standing",
]
