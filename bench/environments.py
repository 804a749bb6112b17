"""Environments of others, each made once in the user's cache, from pinned releases."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.stand import NotMeasurable

SECONDS = 300


def interpreter(name: str, packages: Sequence[str], seconds: int = SECONDS) -> Path:
    """The interpreter of an environment with these packages. Raises NotMeasurable where it cannot be made."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qrl-bot-bench"
    home = cache / f"{name}-python{sys.version_info[0]}.{sys.version_info[1]}"
    python, ready = home / "bin" / "python", home / ".ready"
    if ready.exists() and python.exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    options = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True, timeout=60)
        install = [str(python), "-m", "pip", "install", *options, *packages]
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise NotMeasurable(f"{name} cannot be installed here ({told[-1] if told else error})") from None
    ready.touch()
    return python
