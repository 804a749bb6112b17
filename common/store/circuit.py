"""A circuit breaker: what fails repeatedly is not called for a while, then tried once."""

from threading import Lock

from common.clock import Clock


class Circuit:
    """Open after `failures` in a row, for `seconds`; then one probe decides. Thread-safe."""

    def __init__(self, clock: Clock, failures: int = 5, seconds: float = 30.0) -> None:
        self._clock = clock
        self._most = failures
        self._seconds = seconds
        self._failures = 0
        self._until: float | None = None
        self._lock = Lock()

    @property
    def open(self) -> bool:
        return self._until is not None

    def allows(self) -> bool:
        """Whether to try: always while closed; once `seconds` have passed, one caller as the probe."""
        with self._lock:
            if self._until is None:
                return True
            now = self._clock.monotonic()
            if now < self._until:
                return False
            self._until = now + self._seconds  # the others wait for the probe's outcome
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._until = 0, None

    def failed(self) -> bool:
        """Count a failure; whether it has just opened the circuit."""
        with self._lock:
            self._failures += 1
            if self._failures < self._most:
                return False
            opened = self._until is None
            self._until = self._clock.monotonic() + self._seconds
            return opened
