"""The layout's own rules, read from the source: who imports whom, what stands in one place only."""

import ast
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from common import errors
from common.store.keys import CacheKeys, Keys
from tests.conftest import FUNCTIONS, ROOT

COMMON = ROOT / "common"
FILES = dict.fromkeys(("errors", "clock", "meter", "decimals", "decimal_json", "redact"), "ground")
FILES["trading_settings"] = "config"
"""The rooms of files that stand in no folder; one that is not named here is a room of its own."""
LAYERS = (
    ("ground",),
    ("domain",),
    ("config",),
    ("mexc", "store", "gcp"),
    ("run",),
    ("books",),
    ("trading",),
    ("jobs",),
    ("report",),
    ("ops",),
    ("answers",),
    ("runner",),
    ("service",),
    ("runtime",),
)
"""Each room may import itself and the rooms of the rows before it; rooms of one row know nothing of each other."""
ROOMS = [room for row in LAYERS for room in row]
FOLDERS = [room for room in ROOMS if (COMMON / room).is_dir()]
IMPURE = {"asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "subprocess"}
IMPURE |= {"sys", "tempfile", "threading", "time", "urllib", "uuid"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
CLOCKS |= {("time", name) for name in ("time", "time_ns", "monotonic", "perf_counter", "sleep")}
ENVIRONMENT = {("os", "environ"), ("os", "getenv"), ("os", "environb"), ("os", "putenv")}


class Module:
    """One source file of `common`, parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path.relative_to(ROOT))
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(part for part in parts if part != "__init__")
        self.room = FILES.get(parts[1], parts[1])
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    def imports(self, tree: ast.AST | None = None) -> Iterator[str]:
        """Everything that is imported, wherever it stands, as dotted names of modules (or of names in them)."""
        for node in ast.walk(tree or self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.where}: a relative import hides where it leads"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def attributes(self) -> Iterator[tuple[str, str]]:
        """Every `name.attribute`, with the last name before the dot: datetime.datetime.now is (datetime, now)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                yield owner, node.attr

    def literals(self) -> Iterator[str]:
        """Every string that is no docstring, the fixed parts of f-strings among them."""
        prose = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                yield node.value


MODULES = [Module(path) for path in sorted(COMMON.rglob("*.py"))]
BY_NAME = {module.name: module for module in MODULES}
DOMAIN = [module for module in MODULES if module.room == "domain"]


def within(name: str) -> str | None:
    """The module of `common` that an imported name leads to."""
    while name and name not in BY_NAME:
        name = name.rpartition(".")[0]
    return name or None


def uses(found: set[tuple[str, str]], *but: str) -> list[str]:
    """Where one of these attributes is used, outside the files named."""
    return [
        f"{module.where}: {owner}.{name}"
        for module in MODULES
        if module.path.name not in but
        for owner, name in module.attributes()
        if (owner, name) in found
    ]


# Who may import whom


def test_the_source_is_found_and_every_file_belongs_to_a_room() -> None:
    assert len(MODULES) > 30
    assert {module.room for module in MODULES} <= {*ROOMS, "__init__"}


def row(room: str) -> int:
    return next(index for index, rooms in enumerate(LAYERS) if room in rooms)


def may_import(room: str, other: str) -> bool:
    return room == other or row(other) < row(room)


def test_imports_go_one_way_and_neighbours_do_not_know_each_other() -> None:
    wrong = [
        f"{module.where} imports {name}"
        for module in MODULES
        for name in module.imports()
        if (target := within(name)) and not may_import(module.room, BY_NAME[target].room)
    ]
    assert wrong == []


def test_no_job_imports_another() -> None:
    wrong = [
        f"{module.where} imports {name}"
        for module in MODULES
        if module.room == "jobs"
        for name in module.imports()
        if (target := within(name)) and target != module.name and BY_NAME[target].room == "jobs"
    ]
    assert wrong == []


def test_the_errors_import_nothing() -> None:
    assert list(BY_NAME["common.errors"].imports()) == []


def test_the_domain_imports_the_standard_library_the_errors_the_decimals_and_itself_only() -> None:
    wrong = [
        f"{module.where} imports {name}"
        for module in DOMAIN
        for name in module.imports()
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith(("common.errors.", "common.decimals.", "common.domain."))
    ]
    assert wrong == []


def test_the_domain_reaches_for_no_clock_environment_chance_log_or_network() -> None:
    wrong = [
        f"{module.where} imports {name}"
        for module in DOMAIN
        for name in module.imports()
        if name.split(".")[0] in IMPURE
    ]
    assert wrong == []


def test_the_bot_knows_nothing_of_the_laptop_the_tests_the_bench_or_the_functions() -> None:
    outside = {"local", "tests", "bench", "functions"}
    wrong = [f"{m.where} imports {name}" for m in MODULES for name in m.imports() if name.split(".")[0] in outside]
    assert wrong == []


def test_no_two_modules_import_each_other() -> None:
    graph = {
        m.name: {target for name in m.imports() if (target := within(name)) not in (None, m.name)} for m in MODULES
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_every_folder_says_what_it_may_import() -> None:
    for folder in FOLDERS:
        docstring = ast.get_docstring(BY_NAME[f"common.{folder}"].tree) or ""
        promise = docstring.split("ay import", 1)[-1].split(";")[0]
        told = {room for room in ROOMS if re.search(rf"\b{room}\b", promise)}
        assert told == {room for rooms in LAYERS[: row(folder)] for room in rooms}, docstring
    order = ast.get_docstring(BY_NAME["common"].tree) or ""
    assert " <- ".join(", ".join(rooms) for rooms in LAYERS) in " ".join(order.split())


def test_a_folder_of_modules_holds_nothing_of_its_own() -> None:
    for module in MODULES:
        if module.path.name == "__init__.py" and module.name != "common":
            assert [type(node) for node in module.tree.body] == [ast.Expr], module.where


# What stands in one place only


def test_the_time_is_asked_of_the_clock_only() -> None:
    assert uses(CLOCKS, "clock.py") == []
    assert [m.where for m in MODULES if "time" in set(m.imports()) and m.path.name != "clock.py"] == []
    assert uses(CLOCKS) != []


def test_the_environment_is_read_where_the_bot_is_built_only() -> None:
    assert uses(ENVIRONMENT, "runtime.py") == []
    assert uses(ENVIRONMENT) != []


def test_the_standard_modules_for_time_and_environment_are_not_taken_apart() -> None:
    wrong = [
        f"{module.where} imports {name}"
        for module in MODULES
        for name in module.imports()
        if tuple(name.rsplit(".", 1)) in ENVIRONMENT | {pair for pair in CLOCKS if pair[0] == "time"}
    ]
    assert wrong == []


def key_openings() -> set[str]:
    """How the keys begin that have more than one part, as keys.py makes them: `price:latest`, `lease:`."""
    found = {"bot:"}
    for keys in (Keys("", "?"), CacheKeys("?")):
        for name in dir(type(keys)):
            member = getattr(keys, name)
            if name.startswith("_") or name in ("symbol", "prefix", "namespace", "version"):
                continue
            key = member(*["?"] * len(inspect.signature(member).parameters)) if callable(member) else member
            if isinstance(key, str):
                opening = key.removeprefix("bot:?:").split("?")[0]
                found |= {opening} if ":" in opening else set()
    return found


def test_no_redis_key_is_written_outside_the_module_of_keys() -> None:
    openings = key_openings()
    assert {
        "bot:",
        "mexc:raw:",
        "account:balance",
        "price:latest",
        "rebalance:last",
        "lease:",
        "ticker:",
    } <= openings
    pattern = re.compile(rf"(^|[^\w ])({'|'.join(map(re.escape, sorted(openings)))})(\S|$)")
    wrong = [
        f"{module.where}: {text!r}"
        for module in MODULES
        if module.path.name != "keys.py"
        for text in module.literals()
        if pattern.search(text)
    ]
    assert wrong == []


def test_the_domain_has_no_binary_floats() -> None:
    wrong = [
        f"{module.where}:{node.lineno}"
        for module in DOMAIN
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert wrong == []


def test_values_of_the_domain_cannot_be_changed() -> None:
    declared = [
        (f"{module.where}: {node.name}", {ast.unparse(each) for each in node.decorator_list})
        for module in DOMAIN
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.decorator_list
    ]
    assert len(declared) > 20
    assert [where for where, how in declared if how != {"dataclass(frozen=True, slots=True)"}] == []


def test_cloud_logging_is_known_to_one_file_and_imported_only_when_it_is_needed() -> None:
    def cloud(names: Iterator[str]) -> bool:
        return any(f"{name}.".startswith("google.cloud.") for name in names)

    assert [module.path.name for module in MODULES if cloud(module.imports())] == ["logs.py"]
    logs = BY_NAME["common.gcp.logs"]
    functions = (node for node in ast.walk(logs.tree) if isinstance(node, ast.FunctionDef))
    deferred = {name for function in functions for name in logs.imports(function)}
    assert cloud(iter(deferred))
    assert not cloud(iter(set(logs.imports()) - deferred))


def test_processes_are_begun_anew_and_not_forked_as_python_before_3_14_does_on_linux() -> None:
    sources = {
        str(path): path.read_text("utf-8")
        for room in ("local", "bench", "tests")
        for path in (ROOT / room).rglob("*.py")
    }
    uses = re.compile(r"^(?:from|import) (?:multiprocessing|concurrent\.futures import .*Process)", re.MULTILINE)
    pools = {path: source for path, source in sources.items() if uses.search(source)}
    assert pools
    assert [path for path, source in pools.items() if 'get_context("spawn")' not in source] == []


def test_no_module_is_longer_than_can_be_read_at_a_sitting() -> None:
    assert [f"{m.where}: {m.text.count(chr(10))} lines" for m in MODULES if m.text.count("\n") >= 400] == []


def test_a_job_reads_at_a_glance() -> None:
    jobs = [module for module in MODULES if module.room == "jobs"]
    assert [f"{m.where}: {m.text.count(chr(10))} lines" for m in jobs if m.text.count("\n") >= 120] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module.where for module in MODULES if not ast.get_docstring(module.tree)] == []


# The functions


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_functions_entry_point_is_a_plain_function_of_its_folders_name(name: str) -> None:
    spec = importlib.util.spec_from_file_location(f"entry_{name}", ROOT / "functions" / name / "main.py")
    assert spec is not None
    assert spec.loader is not None
    main = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(main)
    assert inspect.isfunction(getattr(main, name))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_its_entry_point_and_a_link_to_the_common_package(name: str) -> None:
    folder = ROOT / "functions" / name
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == {"main.py", "common"}
    assert os.readlink(folder / "common") == "../../common"
    assert (folder / "common" / "runtime.py").samefile(COMMON / "runtime.py")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_an_entry_point_imports_the_framework_its_job_and_the_runtime_only(name: str) -> None:
    tree = ast.parse((ROOT / "functions" / name / "main.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "common.runtime" in modules
    assert modules <= {"functions_framework", "flask", "common.runtime", f"common.jobs.{name}"}


# The errors


def error_classes() -> list[type[errors.BotError]]:
    return [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.BotError)]


def test_every_error_of_the_bot_stands_in_the_tree() -> None:
    """Nobody who catches a base should have to know of another file."""
    known = {kind.__name__ for kind in error_classes()}
    outside = [
        f"{module.where}: {node.name}"
        for module in MODULES
        if module.name != "common.errors"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & known
    ]
    assert outside == []


def error_tree() -> list[tuple[int, str, int | None]]:
    """The docstring's tree: depth, class, and the HTTP status that is told with it."""
    tree = (errors.__doc__ or "").split("\n\n")[1]
    rows = []
    for line in tree.splitlines():
        match = re.match(r"(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)", line)
        assert match is not None, line
        status = re.search(r"HTTP (\d{3})", line)
        rows.append((len(match["branch"]) // 4, match["name"], int(status[1]) if status else None))
    return rows


def test_the_tree_of_errors_names_every_class_once() -> None:
    named = [name for _, name, _ in error_tree()]
    assert sorted(named) == sorted(kind.__name__ for kind in error_classes())


def test_the_tree_of_errors_shows_whose_child_each_class_is_and_its_http_status() -> None:
    branch: list[tuple[str, int | None]] = []
    unsaid = []
    for depth, name, status in error_tree():
        del branch[depth:]
        parent, inherited = branch[-1] if branch else ("Exception", None)
        kind = getattr(errors, name)
        told = status or inherited
        assert kind.__base__.__name__ == parent
        assert told in (None, kind.http_status), name
        if told is None and not kind.__subclasses__():
            unsaid.append(name)
        branch.append((name, told))
    assert unsaid == []


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [vars(kind).get("code") for kind in error_classes()]
    assert None not in codes
    assert len(set(codes)) == len(codes)
