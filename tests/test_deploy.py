"""deploy.sh: the bundle it stages is the one Terraform archives, and it does what it says or says why not.

gcloud, terraform and curl are stand-ins here: they answer from a table and note down how they were called.
DEPLOY_BASH names another bash to run it with, such as the 3.2 of macOS.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import pytest

from common.config import Settings
from local import costs
from tests.conftest import FUNCTIONS, TASKS

ROOT = Path(__file__).parent.parent
TERRAFORM = ROOT / "terraform"
JOBS = list(TASKS)
TOOLS = "basename bash cat chmod cp date dirname env find grep head ls mkdir mv printf rm sed sh sort tail tr uname"
BASH = os.environ.get("DEPLOY_BASH", "bash")

# In bash, for it starts a dozen times as fast as Python. Fields are parted by the ASCII separators.
STUB = r"""#!/usr/bin/env bash
line="${0##*/}$(printf ' %s' "$@")"
stdin=""
case " $* " in *" --data-file=- "* | *" --config - "*) stdin=$(cat; printf .) && stdin=${stdin%.} ;; esac
printf '%s\x1f%s\x1e' "$line" "$stdin" >>"$STUB_LOG"
while IFS=$'\x1f' read -r -d $'\x1e' pattern answer code; do
  if [[ $line$'\n'$stdin =~ $pattern ]]; then
    printf '%s\n' "$answer"
    exit "$code"
  fi
done <"$STUB_ANSWERS"
"""

LINK = "https://compute/addresses/qrl-bot-egress"


def _token(**claims: object) -> str:
    return f"head.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"


TOKEN = _token(email="ann@example.com")


def _bot(prefix: str = "", key: str = "qrl") -> dict[str, Any]:
    return {
        "audience": f"https://{prefix}ops-123456789012.asia-southeast1.run.app",
        "exchange_key": key,
        "functions": {name: prefix + name.replace("_", "-") for name in FUNCTIONS},
        "journal_bucket": "my-project-qrl-bot-journal",
        "paused": ["rebalance"],
        "urls": {name: f"https://{prefix}{name.replace('_', '-')}-hash-as.a.run.app" for name in FUNCTIONS},
    }


PARTS = ("mexc_api_key", "mexc_secret_key", "read_mexc_api_key", "read_mexc_secret_key")
OUTPUT: dict[str, Any] = {
    "project_id": "my-project",
    "region": "asia-southeast1",
    "name_prefix": "",
    "egress_address": "203.0.113.7",
    "bots": {"qrl": _bot()},
    "exchange_secrets": {"qrl": {part: part.replace("_", "-") for part in PARTS}},
}


def _output(**other: Any) -> str:
    return json.dumps({name: {"value": value} for name, value in (OUTPUT | other).items()})


TWO_BOTS = _output(
    bots={"qrl": _bot(), "btc": _bot("btc-", "btc")},
    exchange_secrets={key: {part: f"{key}-{part.replace('_', '-')}" for part in PARTS} for key in ("qrl", "btc")},
)


@dataclass
class Deployment:
    """A checkout with stand-ins for everything that would leave the machine."""

    root: Path
    bin: Path
    answers: list[tuple[str, str, int]] = field(default_factory=list)

    def answer(self, pattern: str, text: str = "", code: int = 0) -> None:
        """Let calls that match `pattern` print `text` and end with `code`; the latest answer wins."""
        self.answers.insert(0, (pattern, text, code))

    def run(self, *args: str, stdin: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
        table = "".join(f"{pattern}\x1f{text}\x1f{code}\x1e" for pattern, text, code in self.answers)
        (self.root / "answers").write_text(table)
        return subprocess.run(
            [BASH, str(self.root / "deploy.sh"), *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.root,
            env={
                "PATH": str(self.bin),
                "STUB_LOG": str(self.root / "calls.log"),
                "STUB_ANSWERS": str(self.root / "answers"),
                **env,
            },
        )

    def refuses(self, *args: str, says: str, stdin: str = "", **env: str) -> None:
        """Run it, and see that it ends with 1 and these words."""
        done = self.run(*args, stdin=stdin, **env)
        assert (done.returncode, says in done.stderr) == (1, True), (args, says, done.stdout + done.stderr)

    def does(self, *args: str, stdin: str = "", **env: str) -> str:
        done = self.run(*args, stdin=stdin, **env)
        assert done.returncode == 0, (args, done.stdout + done.stderr)
        return done.stdout

    @property
    def calls(self) -> list[str]:
        return [line for line, _ in self.log()]

    def called(self, pattern: str) -> list[str]:
        return [call for call in self.calls if re.search(pattern, call)]

    def stdin_of(self, pattern: str) -> str:
        return next(stdin for line, stdin in self.log() if re.search(pattern, line))

    def log(self) -> list[tuple[str, str]]:
        log = self.root / "calls.log"
        entries = log.read_text().replace(str(self.root), "CHECKOUT").split("\x1e")[:-1] if log.exists() else []
        return [(line, stdin) for line, _, stdin in (entry.partition("\x1f") for entry in entries)]

    def forget(self) -> None:
        (self.root / "calls.log").unlink(missing_ok=True)

    def write(self, path: str, text: str = "") -> Path:
        file = self.root / "terraform" / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with every kind of file that must and must not be shipped."""
    root = tmp_path / "checkout"
    shutil.copytree(TERRAFORM / "modules" / "bundle", root / "terraform" / "modules" / "bundle")
    shutil.copy(ROOT / "deploy.sh", root)
    shipped = ["requirements.txt", "common/__init__.py", "common/decimals.py", "common/py.typed"]
    kept = ["common/README.md", "common/domain/__pycache__/decimals.cpython-313.pyc", "common/data.json"]
    kept += ["requirements-dev.txt", "tests/test_x.py", "common/py.typed.bak"]
    kept += [f"functions/{name}/{file}" for name in FUNCTIONS for file in ("helper.py", "__pycache__/main.pyc")]
    for path in [*shipped, *kept, *(f"functions/{name}/main.py" for name in FUNCTIONS)]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"# {path}\n")
    for name in FUNCTIONS:
        (root / "functions" / name / "common").symlink_to("../../common")
    (root / "common" / "linked.py").symlink_to("decimals.py")
    return root


@pytest.fixture
def deployment(checkout: Path, tmp_path: Path) -> Deployment:
    """A deployment that is up and well, and an account that may do everything."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for tool in TOOLS.split():
        if found := shutil.which(tool):
            (bin_folder / tool).symlink_to(found)
    (bin_folder / "python3").symlink_to(sys.executable)
    for tool in ("terraform", "gcloud", "curl"):
        (bin_folder / tool).write_text(STUB)
        (bin_folder / tool).chmod(0o755)
    deployment = Deployment(checkout, bin_folder)
    deployment.write("terraform.tfvars", 'project_id = "my-project"\n')
    answer = deployment.answer
    answer("^terraform version", "Terraform v1.11.4")
    answer("output -json", _output())
    answer("output -raw egress_address", "203.0.113.7")
    answer("^gcloud auth list", "ann@example.com")
    answer("^gcloud auth print-access-token", "ya29.gcloud")
    answer("^gcloud auth application-default", "ya29.terraform")
    answer("^gcloud auth print-identity-token", TOKEN)
    answer("^gcloud functions describe", "ACTIVE")
    answer("^gcloud run services get-iam-policy", "['serviceAccount:call-price@x']")
    answer("^gcloud run services describe", '{"metadata": {"annotations": {"run.googleapis.com/ingress": "all"}}}')
    answer("scheduler jobs list", json.dumps([_schedule(name) for name in ("price", "dev-price", "rebalance")]))
    answer("scheduler jobs describe .*value.state", "ENABLED")
    answer("scheduler jobs describe rebalance .*value.state", "PAUSED")
    answer("scheduler jobs describe .*lastAttemptTime", "2026-01-31T12:00:00Z")
    answer("^gcloud compute addresses list", LINK)
    answer("^gcloud compute routers nats describe", f"MANUAL_ONLY {LINK}")
    answer("^gcloud redis instances describe", "READY True SERVER_AUTHENTICATION RDB noeviction")
    answer("^curl .*a.run.app", '{"status": "success", "task": "ops"}\n200')
    answer("^curl .*a.run.app/status", "trading is off\nmix 50.1 %\n200")
    answer("^curl .*a.run.app/verify", _report(clock=True, key_without_withdrawal=None))
    answer(
        "SIGNATURE_REMOVED|[.]U0lHTk|header = .Authorization: Bearer [^.]*[.][^.]*[.]SIGNATURE_REMOVED",
        "Unauthorized\n401",
    )
    answer("testIamPermissions", _granted())
    return deployment


def _schedule(name: str) -> dict[str, Any]:
    return {
        "name": f"projects/my-project/locations/asia-southeast1/jobs/{name}",
        "schedule": "* * * * *",
        "state": "ENABLED",
        "lastAttemptTime": "2026-01-31T12:00:00.123Z",
        "status": {"code": 14} if name == "rebalance" else {},
    }


def _report(**findings: bool | None) -> str:
    """What ops answers to GET /verify."""
    told = [{"name": name, "ok": ok, "explanation": f"{name} seen"} for name, ok in findings.items()]
    data = {"healthy": False not in findings.values(), "findings": told}
    return json.dumps({"status": "success", "task": "ops", "data": data}) + "\n200"


def _granted(*missing: str) -> str:
    """The answer of a project in which the account has every permission deploy.sh asks for, but these."""
    asked = re.findall(r"\b[a-z]+\.[A-Za-z]+\.[A-Za-z]+\b", (ROOT / "deploy.sh").read_text())
    return json.dumps({"permissions": sorted(set(asked) - set(missing))})


def _files(folder: Path) -> dict[str, str]:
    """Path => content of all that lies in a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if not path.is_dir()}


# --- staging -------------------------------------------------------------------------------------------


def _stage(checkout: Path, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [BASH, str(checkout / "deploy.sh"), "stage", *arguments]
    return subprocess.run(command, cwd=cwd or checkout, capture_output=True, text=True, check=False)


def test_a_bundle_holds_its_entry_point_the_pins_and_common_and_nothing_else(
    checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "ops").mkdir(parents=True)  # an empty folder is staged into, from anywhere
    for name in FUNCTIONS:
        assert _stage(checkout, name, name, cwd=tmp_path / "elsewhere").returncode == 0
        assert _files(tmp_path / "elsewhere" / name) == {
            "main.py": f"# functions/{name}/main.py\n",
            "requirements.txt": "# requirements.txt\n",
            "common/__init__.py": "# common/__init__.py\n",
            "common/decimals.py": "# common/decimals.py\n",
            "common/linked.py": "# common/decimals.py\n",
            "common/py.typed": "# common/py.typed\n",
        }, name


def test_staging_refuses_what_it_cannot_do_right(checkout: Path) -> None:
    (checkout / "full").mkdir()
    (checkout / "full" / "old.py").touch()
    (checkout / "file").touch()
    (checkout / "functions" / "cost" / "main.py").unlink()
    before = _files(checkout)
    for arguments, says in (
        (["nothing", "out"], "no such job: nothing"),
        (["price"], "usage"),
        (["price", "out", "more"], "usage"),
        (["price", "full"], "folder is not empty"),
        (["price", "file"], "not a folder"),
        (["cost", "out"], "not in this checkout: functions/cost/main.py"),
    ):
        done = _stage(checkout, *arguments)
        assert (done.returncode, says in done.stderr) == (1, True), (arguments, done.stderr)
    assert _files(checkout) == before


# --- the same rule in Terraform -----------------------------------------------------------------------------


def _archived(wanted: dict[str, tuple[Path, str]], scratch: Path) -> dict[str, Any]:
    """What Terraform puts into each archive; the module has no provider, so nothing is downloaded."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("terraform is not on this machine")
    shutil.copytree(TERRAFORM / "modules" / "bundle", scratch / "bundle")
    (scratch / "main.tf").write_text(
        'variable "wanted" { type = map(list(string)) }\n'
        'module "bundle" {\n  source   = "./bundle"\n  for_each = var.wanted\n'
        "  root     = each.value[0]\n  function = each.value[1]\n}\n"
        'output "archives" { value = module.bundle }\n'
    )
    roots = {label: [str(root), name] for label, (root, name) in wanted.items()}
    (scratch / "terraform.tfvars.json").write_text(json.dumps({"wanted": roots}))
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    for command in (["init", "-backend=false"], ["apply", "-auto-approve"], ["output", "-json"]):
        done = subprocess.run(
            [terraform, *command, "-no-color", *([] if command[0] == "output" else ["-input=false"])],
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout)["archives"]["value"])


def test_terraform_archives_what_is_staged_also_from_this_very_checkout(checkout: Path, tmp_path: Path) -> None:
    wanted = {name: (checkout, name) for name in FUNCTIONS} | {"here": (ROOT, "fifteen_min_job")}
    for label, archive in _archived(wanted, tmp_path / "module").items():
        root, name = wanted[label]
        assert _stage(root, name, str(tmp_path / label)).returncode == 0
        staged = _files(tmp_path / label)
        assert staged == {path: (root / source).read_text() for path, source in archive["files"].items()}, label


def test_the_archive_is_named_anew_when_something_shipped_changes_and_only_then(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "common" / "linked.py").unlink()
    variants: dict[str, tuple[Path, str]] = {}
    for label in ("before", "kept", "changed", "renamed"):
        shutil.copytree(checkout, tmp_path / label, symlinks=True)
        variants[label] = (tmp_path / label, "price")
    (tmp_path / "kept" / "common" / "README.md").write_text("changed")
    (tmp_path / "changed" / "common" / "decimals.py").write_text("changed")
    (tmp_path / "renamed" / "common" / "decimals.py").rename(tmp_path / "renamed" / "common" / "numbers.py")
    names = {label: archive["hash"] for label, archive in _archived(variants, tmp_path / "module").items()}
    assert names["kept"] == names["before"]
    assert len({names["before"], names["changed"], names["renamed"]}) == 3


def test_terraform_refuses_an_incomplete_checkout_too(checkout: Path, tmp_path: Path) -> None:
    (checkout / "functions" / "price" / "main.py").unlink()
    with pytest.raises(RuntimeError, match=r"Not in this checkout: functions/price/main\.py"):
        _archived({"price": (checkout, "price")}, tmp_path / "module")


def test_the_script_keeps_to_what_bash_3_2_knows() -> None:
    """No such bash is on every machine that tests: macOS has it, and DEPLOY_BASH runs all of this with it."""
    script = re.sub(r"python3 -c '.*?'", "", (ROOT / "deploy.sh").read_text(), flags=re.DOTALL)
    newer = (
        r"\b(declare|local|typeset) -[a-zA-Z]*[Ang]",  # associative arrays, references, globals
        r"\b(mapfile|readarray|coproc|inherit_errexit|globstar|lastpipe)\b|wait -n",
        r"\$\{\w+(\[[^]]*\])?(\^|,|@[A-Za-z])",  # upper and lower case, ${x@Q}
        r"\$\{\w+\[-\d|\$\{@:",  # counted from the end; slices of no words under set -u
        r"&>>|\|&|;;?&|\{[0-9]+\.\.[0-9]+\.\.|%\(.*\)T|\$EPOCH",
    )
    assert [found.group() for pattern in newer for found in re.finditer(pattern, script)] == []
    arrays = re.findall(r"(?<!\+)\"\$\{(\w+)\[@\]\}\"", script)  # an empty one is unbound there
    bare = [
        name
        for name in arrays
        if f'${{{name}[@]+"${{{name}[@]}}"}}' not in script and f"${{#{name}[@]}} -eq 0" not in script
    ]
    assert bare == []


# --- what has to be there -------------------------------------------------------------------------------------

COMMANDS = [
    *(["plan"], ["apply"], ["destroy"], ["secrets"], ["run", "price"], ["logs", "price"], ["status"], ["report"]),
    *(["status", "--json"], ["pause", "why"], ["resume"], ["confirm"], ["tell", "{}"], ["verify"], ["restore"]),
]


def test_without_a_command_it_lists_them(deployment: Deployment) -> None:
    commands = re.findall(r"^  ([a-z]+)", deployment.does(), re.MULTILINE)
    assert commands == [
        *("stage", "plan", "apply", "secrets", "run", "logs", "status", "report"),
        *("pause", "resume", "confirm", "tell", "verify", "restore", "destroy"),
    ]
    deployment.refuses("deploy", says="no such command")


def test_what_is_missing_is_named_before_anything_is_done(deployment: Deployment) -> None:
    deployment.answer("^gcloud auth list", "")
    for command in COMMANDS:
        deployment.refuses(*command, says="gcloud auth login")
    assert not deployment.called("plan|apply|destroy|curl|versions|scheduler|logging")
    (deployment.bin / "terraform").unlink()
    (deployment.bin / "gcloud").unlink()
    deployment.forget()
    for command in COMMANDS:
        deployment.refuses(*command, says="not installed: terraform gcloud")
    assert deployment.calls == []


def test_before_the_first_apply_there_is_nothing_to_command(deployment: Deployment) -> None:
    deployment.answer("^terraform .*output", "No outputs found", 1)
    for command in COMMANDS[3:]:
        deployment.refuses(*command, says="./deploy.sh apply first")
    deployment.answer("^terraform .*output", "{}")
    deployment.refuses("status", says="./deploy.sh apply first")
    assert not deployment.called("curl|scheduler|logging|versions add")


def test_what_is_not_understood_is_not_done(deployment: Deployment) -> None:
    for command in (
        *(["secrets", "write"], ["secrets", "trade", "2026-01-31", "more"], ["secrets", "read", "2026-01-31"]),
        *(
            ["run"],
            ["run", "price", "more"],
            ["logs", "price", "more"],
            ["status", "--yaml"],
            ["status", "--json", "x"],
        ),
        *(
            ["pause"],
            ["pause", ""],
            ["pause", "a", "b", "c"],
            ["resume", "now"],
            ["confirm", "a", "b"],
            ["tell"],
            ["verify", "x"],
        ),
        *(
            ["restore", "backup"],
            ["restore", "journal", "x"],
            ["restore", "journal", "0", "x"],
            ["report", "a", "b"],
        ),
    ):
        deployment.refuses(*command, says="day is kept" if command[1:2] == ["read"] else "usage")
    deployment.refuses("run", "ops", says="no such job")
    deployment.refuses("tell", "pause", says="not a JSON object: pause")
    deployment.refuses("logs", "nothing", says="no such job")
    assert deployment.calls == []


def test_a_missing_permission_is_named_and_of_whose_credentials(deployment: Deployment) -> None:
    deployment.write(
        "terraform.tfvars", 'project_id = "my-project"\nbudget = { billing_account = "01-AB-02", amount = 9 }\n'
    )
    for command, permission, whose in (
        (["plan"], "redis.instances.create", "the account of Terraform's credentials lacks in project my-project"),
        (
            ["apply"],
            "iam.serviceAccounts.actAs",
            "the account of Terraform's credentials lacks in project my-project",
        ),
        (
            ["plan"],
            "billing.budgets.create",
            "the account of Terraform's credentials lacks in billing account 01-AB-02",
        ),
        (["secrets"], "secretmanager.versions.add", "ann@example.com lacks in project my-project"),
        (["run", "price"], "cloudscheduler.jobs.run", "ann@example.com lacks in project my-project"),
        (["logs", "price"], "logging.logEntries.list", "ann@example.com lacks in project my-project"),
        (["verify"], "run.services.get", "ann@example.com lacks in project my-project"),
    ):
        deployment.answer("testIamPermissions", _granted(permission))
        deployment.refuses(*command, says=f"{whose}: {permission}")
    assert not deployment.called("terraform .*(plan|apply)|versions add|jobs run|logging read")
    asked = [stdin for line, stdin in deployment.log() if "testIamPermissions" in line]
    counted = [bool(re.search("X-Goog-User-Project: my-project", call)) for call in deployment.called("testIam")]
    assert counted == ["ya29.terraform" in stdin for stdin in asked]
    assert {stdin.split()[-1] for stdin in asked} == {'ya29.terraform"', 'ya29.gcloud"'}
    deployment.answer("testIamPermissions", "", 22)
    deployment.refuses("plan", says="cannot ask project my-project")


def test_terraforms_own_credentials_and_age_are_asked_for(deployment: Deployment) -> None:
    deployment.answer("application-default", "", 1)
    deployment.refuses("plan", says="gcloud auth application-default login")
    deployment.does("plan", GOOGLE_OAUTH_ACCESS_TOKEN="ya29.given")
    for version in ("0.15.5", "1.9.8", "1.10.5"):
        deployment.answer("^terraform version", f"Terraform v{version}")
        deployment.refuses("plan", says="1.11 or newer is needed")


# --- plan, apply ------------------------------------------------------------------------------------------------


def test_a_plan_takes_a_profile_and_terraforms_words_and_writes_nothing(deployment: Deployment) -> None:
    before = sorted(_files(deployment.root / "terraform"))
    deployment.does("plan", "-out=next.tfplan")
    assert deployment.calls[-2:] == [
        "terraform -chdir=CHECKOUT/terraform init -input=false",
        "terraform -chdir=CHECKOUT/terraform plan -out=next.tfplan",
    ]
    deployment.does("plan", "durable", "-lock=false")
    assert deployment.calls[-1] == "terraform -chdir=CHECKOUT/terraform plan -var=profile=durable -lock=false"
    deployment.refuses("plan", "huge", says="no such profile: huge")
    assert sorted(_files(deployment.root / "terraform")) == before


def test_an_apply_tells_the_address_and_takes_the_profile_from_the_variables_alone(deployment: Deployment) -> None:
    assert "203.0.113.7" in deployment.does("apply", "-auto-approve")
    assert deployment.called(" apply") == ["terraform -chdir=CHECKOUT/terraform apply -auto-approve"]
    deployment.refuses("apply", "durable", says='write profile = "durable" into terraform/terraform.tfvars')


def test_a_saved_plan_is_applied_as_it_was_shown(deployment: Deployment) -> None:
    deployment.write("next.tfplan")
    (deployment.root / "here.tfplan").touch()
    deployment.does("apply", "next.tfplan")
    deployment.does("apply", "here.tfplan", "-parallelism=3")
    assert deployment.called(" apply") == [
        "terraform -chdir=CHECKOUT/terraform apply next.tfplan",
        "terraform -chdir=CHECKOUT/terraform apply -parallelism=3 CHECKOUT/here.tfplan",
    ]
    deployment.refuses("apply", "lost.tfplan", says="no such saved plan: lost.tfplan")


def test_a_failed_init_stops_it_and_no_state_is_copied_on_its_advice(deployment: Deployment) -> None:
    deployment.answer(" init ", "Error: Backend configuration changed", 1)
    deployment.refuses("apply", says="For another environment use --env NAME")
    deployment.answer(" init ", "Error: something else", 1)
    deployment.refuses("apply", says="something else")
    assert not deployment.called(" apply")


def test_without_variables_the_way_to_name_them_is_told(deployment: Deployment) -> None:
    (deployment.root / "terraform" / "terraform.tfvars").unlink()
    deployment.refuses("plan", says="terraform.tfvars.example")
    deployment.does("plan", TF_VAR_project_id="other-project")
    assert deployment.called("projects/other-project:")


def test_a_profile_remembered_by_an_earlier_release_is_not_obeyed_in_silence(deployment: Deployment) -> None:
    deployment.write("profile.auto.tfvars", "redis = { memory_gb = 2 }\n")
    deployment.refuses("apply", says="would override terraform.tfvars")
    assert not deployment.called(" apply")


# --- environments and bots ----------------------------------------------------------------------------------------


def test_an_environment_shares_nothing_with_another_but_the_code(deployment: Deployment) -> None:
    deployment.write("envs/dev.tfvars", 'project_id = "dev-project"\n')
    deployment.refuses(
        "--env", "dev", "plan", says="terraform/terraform.tfvars would be read for every environment"
    )
    (deployment.root / "terraform" / "terraform.tfvars").unlink()
    deployment.refuses("--env", "dev", "plan", says="cp terraform/backend.tf.example terraform/backend.tf")
    deployment.write("backend.tf")
    deployment.refuses("--env", "test", "plan", says="no such environment: terraform/envs/test.tfvars")
    deployment.refuses("--env", "../x", "plan", says="lower-case letters")
    deployment.refuses("--env", says="usage")
    deployment.answer("versions add", "projects/1/secrets/x/versions/3")
    deployment.does("--env", "dev", "secrets", "trade", "2026-01-31", stdin="key\nsecret\n")
    assert (deployment.root / "terraform" / "envs" / "dev.secrets.tfvars.json").exists()
    deployment.does("--env", "dev", "plan", "durable")
    assert deployment.calls[-2:] == [
        "terraform -chdir=CHECKOUT/terraform init -input=false -backend-config=prefix=qrl-bot/dev",
        "terraform -chdir=CHECKOUT/terraform plan -var-file=envs/dev.tfvars -var-file=envs/dev.secrets.tfvars.json"
        " -var=profile=durable",
    ]
    assert deployment.called("projects/dev-project:")
    deployment.write("envs/dev.tfbackend")
    deployment.does("--env", "dev", "plan")
    assert deployment.called("init .*-backend-config=envs/dev.tfbackend")


def test_an_environment_has_a_data_folder_of_its_own(deployment: Deployment) -> None:
    (deployment.root / "terraform" / "terraform.tfvars").unlink()
    deployment.write("backend.tf")
    deployment.write("envs/dev.tfvars", 'project_id = "dev-project"\n')
    stub = deployment.bin / "terraform"
    stub.write_text(stub.read_text().replace("line=", 'echo "${TF_DATA_DIR:-none}" >>"$STUB_LOG.data"\nline=', 1))
    deployment.does("--env", "dev", "plan")
    assert set((deployment.root / "calls.log.data").read_text().split()) == {
        "none",  # of `terraform version`, asked before
        str(deployment.root / "terraform" / ".terraform" / "envs" / "dev"),
    } - {"none"}


def test_of_several_bots_one_has_to_be_named(deployment: Deployment) -> None:
    deployment.answer("output -json", TWO_BOTS)
    deployment.refuses("resume", says="which bot? --bot NAME, one of: btc, qrl")
    deployment.refuses("--bot", "eth", "resume", says="no such bot: eth (one of: btc, qrl)")
    deployment.does("--bot", "btc", "resume")
    assert deployment.calls[-1].endswith("https://btc-ops-hash-as.a.run.app/")
    deployment.does("--bot", "btc", "run", "fifteen_min_job")
    assert "jobs run btc-fifteen-min-job --location=asia-southeast1 --project=my-project" in deployment.calls[-1]
    deployment.answer("versions add", "projects/1/secrets/x/versions/3")
    deployment.does("--bot", "btc", "secrets", "read", stdin="key\nsecret\n")
    assert deployment.called("versions add btc-read-mexc-api-key")
    assert _pinned(deployment) == {
        "secret_versions": {"btc": {"read_mexc_api_key": 3, "read_mexc_secret_key": 3}},
        "mexc_key_created": {},
    }


# --- secrets ----------------------------------------------------------------------------------------------------


def _pinned(deployment: Deployment) -> Any:
    return json.loads((deployment.root / "terraform" / "secrets.auto.tfvars.json").read_text())


def test_a_key_goes_to_secret_manager_and_only_its_version_is_written_down(deployment: Deployment) -> None:
    deployment.answer("versions add mexc-api-key", "projects/1/secrets/mexc-api-key/versions/3")
    deployment.answer("versions add mexc-secret-key", "projects/1/secrets/mexc-secret-key/versions/4")
    pasted = " mx0vglKEY\u200b\u00a0\r\n\ufeff\tvery-SECRET \n"  # what comes along when a key is copied
    told = deployment.does("secrets", "trade", "2026-01-31", stdin=pasted)
    assert deployment.stdin_of("^gcloud secrets versions add mexc-api-key") == "mx0vglKEY"
    assert deployment.stdin_of("^gcloud secrets versions add mexc-secret-key") == "very-SECRET"
    assert _pinned(deployment) == {
        "secret_versions": {"qrl": {"mexc_api_key": 3, "mexc_secret_key": 4}},
        "mexc_key_created": {"qrl": "2026-01-31"},
    }
    seen = told + "".join(deployment.calls) + str(_pinned(deployment))
    assert "mx0vglKEY" not in seen
    assert "very-SECRET" not in seen


def test_each_pair_is_pinned_without_touching_the_other(deployment: Deployment) -> None:
    for version, command in ((3, ["trade", "2026-01-31"]), (8, ["read"]), (9, ["trade", "2026-04-01"])):
        deployment.answer("versions add", f"projects/1/secrets/x/versions/{version}")
        deployment.does("secrets", *command, stdin="key\nsecret\n")
    pair = {"mexc_api_key": 9, "mexc_secret_key": 9, "read_mexc_api_key": 8, "read_mexc_secret_key": 8}
    assert _pinned(deployment) == {"secret_versions": {"qrl": pair}, "mexc_key_created": {"qrl": "2026-04-01"}}


def test_pins_of_an_earlier_release_are_carried_over(deployment: Deployment) -> None:
    earlier = deployment.write(
        "secrets.auto.tfvars",
        "secret_versions = {\n  mexc_api_key         = 3\n  mexc_secret_key      = 4\n}\n"
        'mexc_key_created = "2026-01-31"\n',
    )
    deployment.does("plan")
    assert not earlier.exists()
    assert _pinned(deployment) == {
        "secret_versions": {"qrl": {"mexc_api_key": 3, "mexc_secret_key": 4}},
        "mexc_key_created": {"qrl": "2026-01-31"},
    }


def test_no_half_key_is_added_nor_one_that_cannot_be_right(deployment: Deployment) -> None:
    for arguments, stdin, says in (
        (["trade"], "key\n\n", "Secret key (trade): an empty key"),
        (["trade"], "", "API key (trade): an empty key"),
        (["trade"], "key\n \u200b\n", "an empty key"),
        (["trade"], "k ey\nsecret\n", "inside it"),
        (["trade"], "key\nsecr\u00e9t\n", "inside it"),
        (["trade"], "same\nsame\n", "the same text"),
        (["trade", "yesterday"], "key\nsecret\n", "not a day"),
        (["trade", "2026-02-31"], "key\nsecret\n", "not a day"),
        *((["trade", day], "key\nsecret\n", "not a day") for day in ("20260105", "2026-W02-1")),
        (["trade", "2999-01-01"], "key\nsecret\n", "not a day that has been"),
    ):
        deployment.refuses("secrets", *arguments, stdin=stdin, says=says)
    deployment.answer("versions add", "PERMISSION_DENIED", 1)
    deployment.refuses("secrets", stdin="key\nsecret\n", says="no version of mexc-api-key was added")
    assert len(deployment.called("versions add")) == 1
    assert not (deployment.root / "terraform" / "secrets.auto.tfvars.json").exists()


# --- jobs, and the operators' door ------------------------------------------------------------------------------


def test_a_job_is_called_by_its_schedule_and_its_lines_are_read(deployment: Deployment) -> None:
    deployment.does("run", "fifteen_min_job")
    assert deployment.calls[-1] == (
        "gcloud scheduler jobs run fifteen-min-job --location=asia-southeast1 --project=my-project"
    )
    deployment.does("logs", "ops")
    assert 'resource.labels.service_name="ops"' in deployment.calls[-1]


def test_commands_reach_ops(deployment: Deployment) -> None:
    deployment.answer(
        "^curl .*a.run.app", '{"status": "success", "price": 0.0123456789012345678901, "n": 1E-7}\n200'
    )
    for command, method, path, body in (
        (["status", "--json"], "GET", "/", None),
        (["pause", 'the "odd" \\ price'], "POST", "/", {"command": "pause", "reason": 'the "odd" \\ price'}),
        (
            ["pause", "why", "2026-01-31T12:00:00Z"],
            "POST",
            "/",
            {"command": "pause", "reason": "why", "until": "2026-01-31T12:00:00Z"},
        ),
        (["resume"], "POST", "/", {"command": "resume"}),
        (["confirm"], "POST", "/", {"command": "confirm"}),
        (["confirm", "0a1b"], "POST", "/", {"command": "confirm", "hash": "0a1b"}),
        (["tell", '{"command": "ignore-fill", "id": "7"}'], "POST", "/", {"command": "ignore-fill", "id": "7"}),
        (["restore"], "POST", "/", {"command": "restore"}),
        (["restore", "exchange"], "POST", "/", {"command": "restore", "source": "exchange"}),
        (
            ["restore", "journal", "1f0c"],
            "POST",
            "/",
            {"command": "restore", "source": "journal", "confirm": "1f0c"},
        ),
    ):
        deployment.forget()
        told = deployment.does(*command)
        assert '"price": 0.0123456789012345678901,\n    "n": 1E-7\n' in told, "amounts as they came"
        (call,) = deployment.called("^curl .*a.run.app")
        assert f"--request {method} " in call
        assert call.endswith(f"https://ops-hash-as.a.run.app{path}")
        sent = re.search(r"--data (.*) --write-out", call)
        assert (json.loads(sent.group(1)) if sent else None) == body


def test_the_token_goes_to_the_platform_and_to_ops_and_is_seen_by_nobody(deployment: Deployment) -> None:
    told = deployment.does("resume")
    assert deployment.stdin_of("^curl .*a.run.app") == (
        f'header = "X-Serverless-Authorization: Bearer {TOKEN}"\nheader = "Authorization: Bearer {TOKEN}"\n'
    )
    assert TOKEN not in "".join(deployment.calls) + told


def test_a_token_is_made_out_for_whoever_asks_and_names_an_email(deployment: Deployment) -> None:
    audience = OUTPUT["bots"]["qrl"]["audience"]
    deployment.does("resume")
    deployment.answer("^gcloud auth list", "bot@other.iam.gserviceaccount.com")
    deployment.does("resume")
    deployment.answer("config get-value auth/impersonate", "ops@my-project.iam.gserviceaccount.com")
    deployment.does("resume")
    assert [call.partition("token")[2] for call in deployment.called("print-identity-token")] == [
        "",
        f" --audiences={audience}",
        f" --audiences={audience} --include-email",
    ]
    deployment.answer("^gcloud auth print-identity-token", _token(sub="1"))
    deployment.refuses("resume", says="the token of ops@my-project.iam.gserviceaccount.com names no e-mail")


def test_a_refusal_of_ops_is_told(deployment: Deployment) -> None:
    for answer, code, says in (
        ("Forbidden\n403", 0, "ops refuses ann@example.com (403): it has to be among operators"),
        ("Unauthorized\n401", 0, "ops refuses ann@example.com (401)"),
        ('{"status": "error", "error": {"code": "store_unreachable"}}\n503', 0, "ops answered 503"),
        ("", 7, "ops cannot be reached"),
        ('{"status": "skipped", "reason": "The ledger in Redis is not empty"}\n200', 0, "did not do it"),
        ("<html>\n200", 0, "is no JSON"),
    ):
        deployment.answer("^curl .*a.run.app", answer, code)
        deployment.refuses("resume", says=says)


def test_status_is_ten_lines_and_the_schedules_of_this_bot(deployment: Deployment) -> None:
    told = deployment.does("status")
    assert told.startswith("trading is off\nmix 50.1 %\n\nSCHEDULE")
    assert [line.split() for line in told.splitlines()[4:]] == [
        ["price", "*", "*", "*", "*", "*", "ENABLED", "2026-01-31T12:00:00", "ok"],
        ["rebalance", "*", "*", "*", "*", "*", "ENABLED", "2026-01-31T12:00:00", "status", "14"],
    ]


def test_the_report_is_saved(deployment: Deployment) -> None:
    deployment.answer("a.run.app/report", "<!doctype html>\n<p>\u00fcber\n200")
    assert "report-qrl.html" in deployment.does("report")
    assert (deployment.root / "report-qrl.html").read_text() == "<!doctype html>\n<p>\u00fcber\n"
    deployment.does("report", "mine.html")
    assert (deployment.root / "mine.html").exists()


# --- verify -----------------------------------------------------------------------------------------------------


def test_verify_is_content_when_all_is_well(deployment: Deployment) -> None:
    told = deployment.does("verify")
    assert "FAIL" not in told
    assert "All is well." in told
    assert "ok    schedule rebalance is paused, as jobs_paused says" in told
    assert "ok    inside: clock: clock seen" in told
    assert "look  inside: key_without_withdrawal: key_without_withdrawal seen" in told
    assert "look  this was a caller refused: the alert of that name has to reach you" in told
    forged = [stdin for line, stdin in deployment.log() if "SIGNATURE_REMOVED_BY_GOOGLE" in stdin]
    assert [stdin.count("SIGNATURE_REMOVED_BY_GOOGLE") for stdin in forged] == [2, 1]
    assert f"X-Serverless-Authorization: Bearer {TOKEN}" in forged[1]


def test_verify_names_everything_that_is_wrong_and_goes_on(deployment: Deployment) -> None:
    off = '{"metadata": {"annotations": {"run.googleapis.com/invoker-iam-disabled": "true"}}}'
    wrong = [
        ("functions describe cost", "FAILED", "function cost is deployed: FAILED"),
        ("get-iam-policy price", "['allUsers']", "function price is closed to strangers: ['allUsers']"),
        ("get-iam-policy ops", "ERROR: (gcloud) no", "function ops is closed to strangers: ERROR: (gcloud) no"),
        (
            "run services describe price",
            off,
            "function price has the platform check its callers: invoker-iam-disabled: true",
        ),
        ("run services describe ops", "ERROR: (gcloud) no", "function ops has the platform check its callers"),
        ("jobs describe price .*value.state", "PAUSED", "schedule price is enabled: PAUSED"),
        (
            "jobs describe rebalance .*value.state",
            "ENABLED",
            "schedule rebalance is paused, as jobs_paused says: ENABLED",
        ),
        ("jobs describe balance .*lastAttemptTime", "", "schedule balance has fired: never"),
        ("jobs describe price .*lastAttemptTime", "ERROR: (gcloud) no", "schedule price has fired: ERROR"),
        ("jobs describe cost .*status.code", "14", "schedule cost was answered with success: status 14"),
        (
            "nats describe",
            f"MANUAL_ONLY {LINK};https://other",
            "the exchange sees 203.0.113.7 and nothing else: NAT: MANUAL_ONLY",
        ),
        ("redis instances", "READY True SERVER_AUTHENTICATION RDB volatile-lru", "never evicts: READY True"),
        ("SIGNATURE_REMOVED", "{}\n200", "a forged token is turned away before ops: answered 200"),
        ("SIGNATURE_REMOVED", "{}\n200", "a forged token is turned away by ops itself: answered 200"),
        ("curl .*/verify", _report(clock=True, keys_present=False), "inside: keys_present: keys_present seen"),
    ]
    for pattern, answer, _ in wrong:
        deployment.answer(pattern, answer)
    done = deployment.run("verify")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert (done.returncode, len(failed)) == (1, len(wrong)), done.stdout
    assert f"{len(wrong)} of the checks failed" in done.stderr
    for _, _, says in wrong:
        assert len([line for line in failed if says in line]) == 1, (says, failed)


def test_verify_without_a_report_of_ops_has_failed(deployment: Deployment) -> None:
    for answer, says in (
        ('{"status": "error", "error": {}}\n200', "inside: ops gives no report"),
        ("<html>\n200", "inside: ops gives no report: <html>"),
        ("Forbidden\n403", "ops gives its report: answered 403"),
    ):
        deployment.answer("curl .*/verify", answer)
        done = deployment.run("verify")
        assert (done.returncode, says in done.stdout, done.stdout.count("FAIL")) == (1, True, 1), done.stdout


# --- destroy ----------------------------------------------------------------------------------------------------

KEPT = [
    'module.bot["qrl"].google_storage_bucket.journal',
    "module.foundation.google_compute_address.egress[0]",
    "module.foundation.google_redis_instance.store",
]
OTHERS = [
    'module.bot["qrl"].google_cloud_scheduler_job.job["price"]',
    "module.foundation.google_storage_bucket.source",
]


def test_nothing_is_destroyed_unless_the_project_is_named(deployment: Deployment) -> None:
    deployment.answer("state list", "\n".join([*KEPT, *OTHERS]))
    deployment.answer("redis instances list", "qrl-bot")
    for answer in ("", "yes\n", "my-projec\n"):
        deployment.refuses("destroy", stdin=answer, says="nothing was deleted")
    deployment.answer("state list", "")
    deployment.refuses("destroy", stdin="my-project\n", says="knows of nothing")
    assert not deployment.called("destroy|delete|state rm")


def test_destroy_keeps_the_address_and_the_journal_and_forgets_the_pins(deployment: Deployment) -> None:
    deployment.answer("state list", "\n".join([*KEPT, *OTHERS]))
    deployment.answer("redis instances list", "dev-qrl-bot\nqrl-bot\nother")
    deployment.answer(
        "output", "No outputs found", 1
    )  # a destroy that was broken off: names come from the variables
    pins = deployment.write("secrets.auto.tfvars.json", "{}")
    told = deployment.does("destroy", "-auto-approve", stdin="my-project\n")
    assert "my-project-qrl-bot-journal" in told
    assert "qrl-bot-egress" in told
    terraform = "terraform -chdir=CHECKOUT/terraform"
    assert deployment.called("destroy|instances delete|state rm") == [
        f"{terraform} destroy -auto-approve -target={OTHERS[0]}",
        "gcloud redis instances delete qrl-bot --region=asia-southeast1 --project=my-project --quiet",
        *(f"{terraform} state rm {address}" for address in KEPT),
        f"{terraform} destroy -auto-approve",
    ]
    assert not pins.exists()


def test_a_destroy_can_be_repeated(deployment: Deployment) -> None:
    deployment.answer("redis instances list", "dev-qrl-bot\nqrl-bot-2")  # others' may share the project
    deployment.answer("state list", "module.foundation.google_vpc_access_connector.functions[0]")
    deployment.does("destroy", stdin="my-project\n")
    assert deployment.called("destroy|instances delete|state rm") == ["terraform -chdir=CHECKOUT/terraform destroy"]


def test_an_instance_that_cannot_be_seen_or_deleted_is_not_forgotten(deployment: Deployment) -> None:
    deployment.answer("state list", "\n".join(KEPT))
    deployment.answer("redis instances list", "PERMISSION_DENIED", 1)
    deployment.refuses(
        "destroy", stdin="my-project\n", says="cannot see whether Redis is there: nothing was deleted"
    )
    deployment.answer("redis instances list", "qrl-bot")
    deployment.answer("redis instances delete", "FAILED_PRECONDITION", 1)
    deployment.refuses("destroy", stdin="my-project\n", says="Redis was not deleted: repeat this")
    assert not deployment.called("state rm|terraform .*destroy")


# --- what has to agree with the rest -----------------------------------------------------------------------------


def _terraform_text() -> str:
    return "\n".join(path.read_text() for path in sorted(TERRAFORM.rglob("*.tf")))


def test_what_cannot_be_brought_back_is_protected() -> None:
    text = _terraform_text()
    for resource in (
        "google_redis_instance.store",
        "google_compute_address.egress",
        "google_storage_bucket.journal",
    ):
        kind, name = resource.split(".")
        block = re.search(rf'^resource "{kind}" "{name}" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL)
        assert block, resource
        assert re.search(r"prevent_destroy\s*= true", block.group(1)), resource


def test_every_grant_is_one_whose_members_a_terraform_test_knows() -> None:
    grants = re.findall(r'^resource "(google_\w+_iam_\w+)" "(\w+)"', _terraform_text(), re.MULTILINE)
    assert sorted(f"{kind}.{name}" for kind, name in grants) == [
        "google_artifact_registry_repository_iam_member.build_images",
        "google_cloud_run_v2_service_iam_binding.invokers",
        "google_project_iam_audit_config.access",
        "google_project_iam_member.build_logs",
        "google_project_iam_member.build_sources",
        "google_secret_manager_secret_iam_member.access",
        "google_storage_bucket_iam_member.journal_reader",
        "google_storage_bucket_iam_member.journal_writer",
    ]
    tests = "\n".join(path.read_text() for path in (TERRAFORM / "tests").glob("*.tftest.hcl"))
    for _, name in grants:
        assert re.search(rf"\b{name}\b", tests), name


def test_what_follows_a_replaced_resource_is_replaced_with_it() -> None:
    text = _terraform_text()
    connector = re.search(r'^resource "google_vpc_access_connector".*?^}', text, re.MULTILINE | re.DOTALL)
    assert connector
    assert "create_before_destroy = true" in connector.group(), "it would go while functions still use it"
    assert "replace_triggered_by = [google_redis_instance.store.create_time]" in text
    assert "replace_triggered_by = [google_cloudfunctions2_function.this.id]" in text


def test_every_mutant_of_the_terraform_still_finds_what_it_breaks() -> None:
    """`make soak` tries them; one whose text is gone would stop it half-way."""
    loader = SourceFileLoader("mutants", str(ROOT / "terraform" / "tests" / "mutants"))
    mutants: Any = module_from_spec(ModuleSpec("mutants", loader, origin=loader.path))
    mutants.__file__ = loader.path
    loader.exec_module(mutants)
    assert len({name for name, *_ in mutants.MUTANTS}) == len(mutants.MUTANTS)
    for mutant in mutants.MUTANTS:
        mutants.broken(mutant)


def test_every_setting_terraform_makes_is_one_the_bot_reads() -> None:
    text = (TERRAFORM / "modules" / "bot" / "functions.tf").read_text()
    reserved = re.search(r"reserved_settings = \[(.*?)\]", text, re.DOTALL)
    assert reserved
    assert set(re.findall(r'"([A-Z_]+)"', reserved.group(1))) <= {name.upper() for name in Settings.model_fields}


def test_both_sides_name_the_same_functions_and_profiles() -> None:
    table = re.search(r"value = {\n(.*?)\n  }", (TERRAFORM / "modules" / "jobs" / "main.tf").read_text(), re.DOTALL)
    assert table
    assert sorted(re.findall(r"^    (\w+)", table.group(1), re.MULTILINE)) == FUNCTIONS
    profiles = re.findall(r"^    (\w+) += \{ tier", (TERRAFORM / "profiles.tf").read_text(), re.MULTILINE)
    assert f'profiles="{" ".join(profiles)}"' in (ROOT / "deploy.sh").read_text()


def test_every_alert_and_every_command_is_in_the_operators_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    files = (TERRAFORM / "modules" / "bot" / "alerts.tf", TERRAFORM / "modules" / "foundation" / "monitoring.tf")
    titles = [title for file in files for title in re.findall(r'title\s*= "([^"]+)"', file.read_text())]
    assert len(titles) == 16
    for title in titles:
        assert f"### {title.replace('${row.task}', '<task>')}\n" in page, title
    for command in re.findall(r"^  ([a-z]+)", _usage(), re.MULTILINE):
        assert f"deploy.sh {command}" in page, command


def test_every_gcloud_line_of_the_operators_page_names_its_project() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    lines = re.findall(r"gcloud [a-z-]+ [a-z-]+ (?:[^`\n\\]|\\\n)*", page)
    others = r"gcloud (auth|config|projects|and|itself|is|run services proxy)\b"
    ours = [line for line in lines if not re.match(others, line)]
    assert len(ours) > 20
    assert [line for line in ours if "--project" not in line] == []


def test_the_prices_in_the_operators_page_and_the_readme_are_those_of_the_one_table() -> None:
    page, readme = (ROOT / "docs" / "operations.md").read_text(), (ROOT / "README.md").read_text()
    assert costs.table() in page, "`python -m local costs` prints the table of docs/operations.md"
    for profile in costs.PROFILES:
        row = " | ".join(f"{costs.monthly(profile, region):.0f}" for region in costs.REGIONS)
        assert f"| `{profile}` | {row} |" in readme, profile
    lean, three = costs.monthly("lean"), costs.monthly("lean", bots=3)
    assert three - lean < 2, "three bots cost one foundation"


def _usage() -> str:
    return subprocess.run([ROOT / "deploy.sh"], capture_output=True, text=True, check=True).stdout
