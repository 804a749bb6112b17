"""Remove secrets from every text that leaves the process: log lines, responses, Redis documents.

No code should put a secret into a text. This gate is for the case that some does: a library that logs a signed URL,
an exchange that repeats our key.
"""

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

Redact = Callable[[str], str]
HIDDEN = "***"
LEAST = 6
"""Characters: a shorter secret would match innocent text, and is no secret."""
_SIGNATURE = r"(?i)(signature(?:=|%3d))[0-9a-z%+/=_-]+"
_BEARER = r"(?i)(bearer\s+)[0-9a-z._~+/=-]{12,}"
_JWT = r"eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)?"
_REDIS_URL = r"(rediss?://[^\s:/@\"]*:)[^\s/@\"]+(@)"
"""Compiled on first use, so that a start without anything suspicious does not compile them."""
_SUSPICIOUS = ("ignature", "IGNATURE", "earer", "EARER", "eyJ", "redis:", "rediss:")
"""Searched first: the expressions take 13 ms on an account with a thousand assets, this search 0.1."""


def redactor(secrets: Iterable[str | None]) -> Redact:
    """A function that hides these secrets, plain or as written in JSON or a URL, and all signatures and tokens.

    It returns the same object when there is nothing to hide.
    """
    spellings = sorted({way for secret in secrets if secret and len(secret) >= LEAST for way in _ways(secret)})
    spellings.sort(key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in spellings:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        if not any(sign in text for sign in _SUSPICIOUS):
            return text
        text = re.sub(_SIGNATURE, rf"\1{HIDDEN}", text)
        text = re.sub(_JWT, HIDDEN, re.sub(_BEARER, rf"\1{HIDDEN}", text))
        return re.sub(_REDIS_URL, rf"\1{HIDDEN}\2", text)

    return redact


def _ways(secret: str) -> set[str]:
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}


UNSIGNED = redactor(())
"""The gate when no secret is known: signatures and tokens are still hidden."""
