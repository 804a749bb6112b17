"""HTML by functions: everything that is not `Markup` is escaped, so foreign text never becomes a tag.

`document` makes one self-contained page: its policy forbids loading anything, and allows only the style and the
script whose hashes it names.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape

VOID = {"br", "col", "hr", "link", "meta"}


class Markup(str):
    """Text that is already HTML: made only by `tag` and `join`."""

    __slots__ = ()


NOTHING = Markup("")
Child = str | None
Attribute = str | int | float | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """One element. None children and attributes are left out; `class_` is class, other underscores are hyphens."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    inner = join(children)
    return Markup(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{inner}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'


def join(children: Iterable[Child]) -> Markup:
    """Children one after the other, each escaped unless it is markup."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], *, texts: int = 1) -> Markup:
    """A table whose first `texts` columns are words and whose others are numbers, aligned right.

    The first cell of a row is its header, for screen readers.
    """
    kinds = [None if column < texts else "n" for column in range(len(heads))]
    body = [
        tag(
            "tr",
            *(
                tag("th", cell, scope="row", class_=kind) if column == 0 else tag("td", cell, class_=kind)
                for column, (cell, kind) in enumerate(zip(row, kinds, strict=True))
            ),
        )
        for row in rows
    ]
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(heads, kinds, strict=True)))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def figure(picture: Markup, numbers: Markup, legend: Markup = NOTHING) -> Markup:
    """A picture with its legend above, and the folded table of its numbers below."""
    return tag("figure", legend, picture, tag("details", tag("summary", "The numbers"), numbers))


def legend(*entries: tuple[str, str]) -> Markup:
    """The meaning of a picture's lines and marks: (kind, words)."""
    items = (tag("li", tag("span", class_=f"key {kind}"), words) for kind, words in entries)
    return tag("ul", *items, class_="legend")


def document(title: str, body: Markup, style: str, script: str = "", refresh_seconds: int | None = None) -> str:
    """The whole page as text."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", http_equiv="refresh", content=refresh_seconds) if refresh_seconds else None,
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    end = tag("script", Markup(script)) if script else NOTHING
    return "<!doctype html>\n" + tag("html", head, tag("body", body, end), lang="en") + "\n"


def policy(style: str, script: str = "") -> str:
    """The content security policy: nothing is loaded, and only this style and this script apply."""
    allowed = [f"style-src '{_hash(style)}'", *([f"script-src '{_hash(script)}'"] if script else [])]
    return "; ".join(["default-src 'none'", "img-src data:", *allowed, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
