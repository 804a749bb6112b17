"""The bundle on a laptop: `python -m local <command>`, one of COMMANDS.

A command is a module of this package, loaded only when it is asked for, with two functions:

    configure(parser: argparse.ArgumentParser) -> None    its options; the module's docstring is its help
    main(arguments: argparse.Namespace) -> int            runs it and returns the exit code

A command that cannot run raises `local.refused.Refused`: its text is shown, and the exit code is 2. A file that
cannot be read or written is named in the same way.
To add a command, write the module and name it in COMMANDS.
"""

import argparse
import codecs
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from common.errors import ConfigurationError
from local.refused import Refused

COMMANDS = {
    "run": "play a day, and report the result",
    "serve": "run in real time, on a port",
    "report": "report a bot's state and whether it was worth it, or write the page",
    "replay": "recompute every stored plan, and list those that differ",
    "advise": "show which band to choose for a portfolio, and what it costs",
    "export": "write the ledger's fills as CSV for a tax tool",
    "candles": "fetch candles from the exchange into a file",
    "costs": "print what the cloud costs a month, the table of docs/operations.md",
    "backtest": "replay the rule over candles, and say what that shows",
}


PLAIN = {"\u202f": " ", "\xa0": " ", "−": "-", "–": "-", "—": "-", "…": "...", "·": "*", "×": "x", "✓": "+"}
"""What stands for a character that the terminal's encoding does not have; for all others `?` does."""


def main(arguments: Sequence[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")
    try:
        try:
            return _main(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough: nothing more is written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _main(arguments: Sequence[str] | None) -> int:
    name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    if name not in COMMANDS:
        wanted = name in ("-h", "--help")
        print(usage() if wanted else f"no command {name!r}\n{usage()}", file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    command = import_module(f"local.{name}")
    parser = Parser(prog=f"python -m local {name}", description=command.__doc__)
    command.configure(parser)
    try:
        code: int = command.main(parser.parse_args(rest))
    except (Refused, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None:
            raise
        print(f"{error.filename} cannot be read or written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ended before it was done", file=sys.stderr)
        return 130
    return code


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence, with the names that a person may have typed: those of make, where it has them."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"invalid int value: (.*)", r"\1 is no whole number", message)
        message = re.sub(r"^argument (--[\w-]+)", lambda found: self._named(found[1]), message)
        self.exit(2, f"{message}\n{self.prog} --help lists the options\n")

    def _named(self, option: str) -> str:
        variable = option.lstrip("-").replace("-", "_").upper()
        return f"{variable} ({option})" if self.prog.split()[-1] in ("run", "serve") else option


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Spell what cannot be encoded with what can: an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


codecs.register_error("plain", _plainly)


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(["python -m local <command>; a command's own --help lists its options", *lines])


if __name__ == "__main__":
    sys.exit(main())
