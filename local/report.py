"""Report in ten lines a bot's state and whether it was worth it; the Redis of REDIS_URL is only read."""

import argparse
from pathlib import Path

from common.decimal_json import to_answer
from common.ops.state import state
from common.report import content, page
from common.report.values import gather
from local import stored


def configure(parser: argparse.ArgumentParser) -> None:
    stored.configure(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", type=Path, metavar="FILE", help="write the page there as well")
    form.add_argument("--json", action="store_true", help="the whole state as JSON instead, as `ops` answers it")


def main(arguments: argparse.Namespace) -> int:
    with stored.stored(arguments) as view:
        if arguments.json:
            print(to_answer(state(view)))
            return 0
        values = gather(view, curves=arguments.html is not None)
    print(content.or_unreadable(content.sentence, values))
    print()
    print("\n".join(content.lines(values)))
    if arguments.html:
        arguments.html.write_text(page.render(values), encoding="utf-8")
        print(f"\nThe page is {arguments.html}.")
    return 0
