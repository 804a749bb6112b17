"""What can go wrong at a step, and who decides it: nobody, a script, or a seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Side = Literal["http", "redis", "clock"]
When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that leaves a process: a request to the exchange, a command or MULTI to Redis."""

    number: int
    process: str
    side: Side
    name: str


@dataclass(frozen=True, slots=True)
class Fault:
    """`amount` is seconds, or for a failover or an outage the writes that are forgotten."""

    kind: str
    amount: float = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:g}" if self.amount else self.kind


ENVIRONMENT = ("crash", "stall", "failover", "away", "outage")
"""Can happen anywhere: the process ends, or stands still; Redis forgets its last writes, or cannot be reached; and
an outage of the zone: the process ends and Redis fails over, at once."""
KINDS: Mapping[tuple[Side, When], tuple[str, ...]] = {
    ("http", "before"): (*ENVIRONMENT, "unreachable", "reset", "timeout", "busy", "throttled", "late"),
    ("http", "after"): (*ENVIRONMENT, "reset", "timeout", "busy", "garbled"),
    ("redis", "before"): (*ENVIRONMENT, "reset", "timeout"),
    ("redis", "after"): (*ENVIRONMENT, "reset", "timeout"),
}
"""`late`: the bot sees no answer, and the request is carried out some seconds later."""
AMOUNTS: Mapping[str, Sequence[float]] = {
    "stall": (0.5, 3, 8, 20, 44, 70, 130),
    "failover": (1, 2, 3, 3, 6),
    "outage": (1, 2, 3, 3, 6),
    "away": (0.5, 5, 30, 300),
    "late": (0.2, 1.5, 4, 6),
}
HIDDEN_SECONDS = (1, 5, 12, 25, 40)
"""How long a new order may stay invisible. The bot takes one that is not found a minute after it was sent for
never accepted, and it is accepted some seconds after that at most (docs/decisions/orders.md)."""


class Plan(Protocol):
    def at(self, step: Step, when: When) -> Fault | None:
        """What goes wrong before or after this step is carried out."""

    def frozen(self) -> float:
        """For how many seconds the process stands still before it reads the clock."""

    def order_effects(self) -> list[dict[str, Any]]:
        """How the exchange treats the order that is coming in (local/exchange/faults.py)."""


class Nothing:
    """All goes well."""

    def at(self, step: Step, when: When) -> Fault | None:
        return None

    def frozen(self) -> float:
        return 0

    def order_effects(self) -> list[dict[str, Any]]:
        return []


@dataclass
class Script(Nothing):
    """These faults, by the number of the step from the script's beginning; `effects` meet every order.

    `freezes` are seconds that the process stands still, by the number of the time it reads the clock.
    """

    faults: Mapping[tuple[int, When], Fault]
    effects: Sequence[Mapping[str, Any]] = ()
    freezes: Mapping[int, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    readings: int = 0

    def at(self, step: Step, when: When) -> Fault | None:
        if when == "before":
            self.steps.append(step)
        return self.faults.get((step.number - self.steps[0].number + 1, when))

    def frozen(self) -> float:
        self.readings += 1
        return self.freezes.get(self.readings, 0)

    def order_effects(self) -> list[dict[str, Any]]:
        return [dict(effect) for effect in self.effects]


class Seeded:
    """Faults by chance. Each seed has its own rate and choice of kinds, so that seeds differ in character."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._rate = rng.choice((0.0, 0.001, 0.003, 0.01, 0.03))
        self._order_rate = rng.choice((0.0, 0.05, 0.1, 0.2))
        self._freezes = rng.choice((0.0, 0.0, 0.0, 0.002))
        every = sorted({kind for kinds in KINDS.values() for kind in kinds})
        wanted = set(rng.sample(every, rng.randint(1, len(every))))
        self._kinds = {place: [kind for kind in kinds if kind in wanted] for place, kinds in KINDS.items()}
        self._hides = rng.choice((0.0, 0.3, 0.8))
        self._partial = rng.choice((0.0, 0.3))
        self._lags = rng.choice((0.0, 0.0, 0.0, 0.3))

    @property
    def balances_lag(self) -> bool:
        return self._lags > 0

    def at(self, step: Step, when: When) -> Fault | None:
        rate = max(self._order_rate, self._rate) if step.name.endswith(" order") else self._rate
        if self._rng.random() >= rate:
            return None
        kinds = self._kinds[step.side, when]
        if not kinds:
            return None
        kind = self._rng.choice(kinds)
        return Fault(kind, self._rng.choice(AMOUNTS.get(kind, (0,))))

    def frozen(self) -> float:
        if self._freezes and self._rng.random() < self._freezes:
            return self._rng.choice(AMOUNTS["stall"])
        return 0

    def order_effects(self) -> list[dict[str, Any]]:
        rng, effects = self._rng, []
        if rng.random() < self._hides:
            effects.append({"kind": "hide_order", "seconds": rng.choice(HIDDEN_SECONDS)})
        if rng.random() < self._hides:
            effects.append({"kind": "hide_trades", "seconds": rng.choice(HIDDEN_SECONDS)})
        if rng.random() < self._partial:
            effects.append({"kind": "partial_fill", "fraction": rng.choice(("0", "0.25", "0.7"))})
        if rng.random() < self._lags:
            effects.append({"kind": "lag_balances", "seconds": rng.choice(HIDDEN_SECONDS)})
        return effects
