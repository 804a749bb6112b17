"""The live gate: orders go out only under the settings that an operator has confirmed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

NEVER = "no settings were confirmed yet"


@dataclass(frozen=True, slots=True)
class Shape:
    """All settings that shape an order, by name, as text, without secrets; `hash` identifies them."""

    hash: str
    settings: Mapping[str, str]

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> "Shape":
        lines = "\n".join(f"{name}={settings[name]}" for name in sorted(settings))
        return cls(hashlib.sha256(lines.encode()).hexdigest()[:16], dict(settings))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The settings that an operator has confirmed, who and when."""

    shape: Shape
    by: str
    at: datetime


def differences(now: Shape, confirmed: Shape | None) -> tuple[str, ...]:
    """What needs to be confirmed, in words, one entry a setting; empty when `now` is what was confirmed."""
    if confirmed is None:
        return (NEVER,)
    if now.hash == confirmed.hash:
        return ()
    names = sorted({*now.settings, *confirmed.settings})
    return tuple(
        f"{name}: {confirmed.settings.get(name, '(new)')} → {now.settings.get(name, '(gone)')}"
        for name in names
        if now.settings.get(name) != confirmed.settings.get(name)
    )
