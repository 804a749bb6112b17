"""How an entry of the market-data cache is written: as plain JSON, compressed, or encrypted.

    {"price":0.02}     as it is
    z:eJyrVi...        compressed (zlib) and in base64, when longer than `above` bytes
    f:gAAAAABl...      encrypted (Fernet); the content is one of the two above

No JSON text starts like the last two.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

_COMPRESSED, _ENCRYPTED = "z:", "f:"
_LONGEST = 16 * 1024 * 1024
"""Most bytes of an unpacked entry."""


class UnknownKey(ValueError):
    """Encrypted under an unknown key, or not encrypted though it should be: written by somebody else."""


class Seal:
    """`above` is in bytes, 0 never compresses. With `keys` (Fernet, newest first) the first one encrypts."""

    def __init__(self, above: int = 0, keys: Sequence[str] = ()) -> None:
        self._above = above
        self._fernet: Any = None
        if keys:
            from cryptography.fernet import Fernet, MultiFernet  # imported only if needed

            self._fernet = MultiFernet([Fernet(key) for key in keys])

    def close(self, text: str) -> str:
        """The text to store."""
        if self._above and len(data := text.encode()) > self._above:
            text = _COMPRESSED + b64encode(zlib.compress(data)).decode()
        return text if self._fernet is None else _ENCRYPTED + self._fernet.encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """The original text. Raises UnknownKey, and ValueError for a damaged entry.

        With keys, an unencrypted entry is refused as well: somebody else wrote it.
        """
        if self._fernet is None:
            if stored.startswith(_ENCRYPTED):
                raise UnknownKey("encrypted under a key that is not known")
        else:
            stored = self._decrypted(stored)
        return _unpacked(stored) if stored.startswith(_COMPRESSED) else stored

    def _decrypted(self, stored: str) -> str:
        from cryptography.fernet import InvalidToken

        if not stored.startswith(_ENCRYPTED):
            raise UnknownKey("not encrypted")
        try:
            text: str = self._fernet.decrypt(stored.removeprefix(_ENCRYPTED)).decode()
        except InvalidToken:
            raise UnknownKey("encrypted under a key that is not known") from None
        return text


def _unpacked(stored: str) -> str:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(b64decode(stored.removeprefix(_COMPRESSED), validate=True), _LONGEST)
    except zlib.error:
        raise ValueError("damaged") from None
    if not unpacker.eof:
        raise ValueError("cut short, or longer than any entry is")
    return data.decode()
