"""Errors of redis-py, mapped by what the caller does next."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from common.errors import ConfigurationError, LeaseLost, StoreCorrupt, StoreError, StoreUnreachable


@contextmanager
def redis_errors() -> Iterator[None]:
    """Map errors of redis-py by what the caller does next; their text is never passed on."""
    try:
        yield
    except redis.WatchError as error:
        if "Error occurred while watching" in str(error):
            raise StoreUnreachable("the connection to Redis was lost during the run") from None
        raise LeaseLost("the lease passed to another run: nothing was stored") from None
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        raise ConfigurationError("Redis refuses the password (REDIS_URL or REDIS_PASSWORD)") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnreachable(f"Redis cannot be reached ({type(error).__name__})") from None
    except redis.ResponseError as error:
        raise refused(error) from None
    except redis.RedisError as error:
        raise StoreUnreachable(f"Redis answers what cannot be read ({type(error).__name__})") from None


def refused(error: redis.ResponseError) -> StoreError:
    text = str(error).rpartition("caused error: ")[2]
    if "WRONGTYPE" in text:
        return StoreCorrupt("a key in Redis holds a value of the wrong type")
    kind = text.split(" ", 1)[0] if type(error) is redis.ResponseError else type(error).__name__
    return StoreUnreachable(f"Redis refuses the command ({kind:.20})")
