"""deploy.sh: the bundle it stages is the one Terraform archives, and it does what it says or says why not.

gcloud, terraform and curl are stand-ins here: they answer from a table and note down how they were called.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.config import Settings

ROOT = Path(__file__).parent.parent
TERRAFORM = ROOT / "terraform"
FUNCTIONS = ["balance", "price", "cost", "fifteen_min_job", "rebalance", "ops"]
TOOLS = "bash cat chmod cmp cp cut date dirname env find grep head ls mkdir mv printf rm sed sh sort tail tr uname"

STUB = """#!{python} -IS
import json, os, re, sys
line = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
stdin = sys.stdin.read() if "--data-file=-" in sys.argv or "--config" in sys.argv else ""
with open(os.environ["STUB_LOG"], "a") as log:
    log.write(json.dumps([line, stdin]) + chr(10))
with open(os.environ["STUB_ANSWERS"]) as answers:
    table = json.load(answers)
for pattern, answer, code in table:
    if re.search(pattern, line):
        print(answer)
        sys.exit(code)
"""

OUTPUTS = {
    "project_id": "my-project",
    "region": "asia-southeast1",
    "name_prefix": "",
    "egress_address": "203.0.113.7",
    "journal_bucket": "my-project-qrl-bot-journal",
    "ops_url": "https://ops-hash-as.a.run.app",
    "ops_audience": "https://ops-123456789012.asia-southeast1.run.app",
}
LINK = "https://compute/addresses/qrl-bot-egress"


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
        (self.root / "answers.json").write_text(json.dumps(self.answers))
        return subprocess.run(
            [str(self.root / "deploy.sh"), *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "PATH": str(self.bin),
                "STUB_LOG": str(self.root / "calls.log"),
                "STUB_ANSWERS": str(self.root / "answers.json"),
                **env,
            },
        )

    @property
    def calls(self) -> list[str]:
        return [line for line, _ in self._log()]

    def stdin_of(self, start: str) -> str:
        return next(stdin for line, stdin in self._log() if line.startswith(start))

    def _log(self) -> list[tuple[str, str]]:
        log = self.root / "calls.log"
        lines = log.read_text().replace(str(self.root), "CHECKOUT").splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with every kind of file that must and must not be shipped."""
    root = tmp_path / "checkout"
    shutil.copytree(TERRAFORM / "modules" / "bundle", root / "terraform" / "modules" / "bundle")
    shutil.copytree(TERRAFORM / "profiles", root / "terraform" / "profiles")
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
        (bin_folder / tool).write_text(STUB.format(python=sys.executable))
        (bin_folder / tool).chmod(0o755)
    deployment = Deployment(checkout, bin_folder)
    (checkout / "terraform" / "terraform.tfvars").write_text('project_id = "my-project"\n')
    deployment.answer("^terraform version", "Terraform v1.11.4")
    for name, value in OUTPUTS.items():
        deployment.answer(f"output -raw {name}$", value)
    deployment.answer("^gcloud auth list", "ann@example.com")
    deployment.answer("^gcloud auth print-access-token", "ya29.access")
    deployment.answer("^gcloud auth print-identity-token", "eyJ.identity")
    deployment.answer("^gcloud functions describe", "ACTIVE")
    deployment.answer("^gcloud run services get-iam-policy", "['serviceAccount:call-price@x']")
    deployment.answer("scheduler jobs describe .*value.state", "ENABLED")
    deployment.answer("scheduler jobs describe rebalance .*value.state", "PAUSED")
    deployment.answer("scheduler jobs describe .*lastAttemptTime", "2026-01-31T12:00:00Z")
    deployment.answer("^gcloud compute addresses list", LINK)
    deployment.answer("^gcloud compute routers nats describe", f"MANUAL_ONLY {LINK}")
    deployment.answer("^gcloud redis instances describe", "READY True SERVER_AUTHENTICATION RDB noeviction")
    deployment.answer("^curl .*a.run.app", '{"status": "success", "task": "ops"}\n200')
    deployment.answer("^curl .*a.run.app/verify", _report(clock=True, key_without_withdrawal=None))
    deployment.answer("testIamPermissions", _granted())
    return deployment


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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bundle_holds_its_entry_point_the_pins_and_common_and_nothing_else(name: str, checkout: Path) -> None:
    subprocess.run([checkout / "deploy.sh", "stage", name, checkout / "out" / "here"], check=True)
    assert _files(checkout / "out" / "here") == {
        "main.py": f"# functions/{name}/main.py\n",
        "requirements.txt": "# requirements.txt\n",
        "common/__init__.py": "# common/__init__.py\n",
        "common/decimals.py": "# common/decimals.py\n",
        "common/linked.py": "# common/decimals.py\n",
        "common/py.typed": "# common/py.typed\n",
    }


def test_an_empty_folder_is_staged_into_from_anywhere(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "empty").mkdir(parents=True)
    command = [str(checkout / "deploy.sh"), "stage", "price", "empty"]
    subprocess.run(command, check=True, cwd=tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "empty" / "main.py").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing", "out"], "no such job: nothing"),
        (["price"], "usage"),
        (["price", "full"], "folder is not empty"),
        (["price", "file"], "not a folder"),
    ],
)
def test_staging_refuses_what_it_cannot_do_right(arguments: list[str], says: str, checkout: Path) -> None:
    (checkout / "full").mkdir()
    (checkout / "full" / "old.py").touch()
    (checkout / "file").touch()
    before = _files(checkout)
    done = subprocess.run(
        ["./deploy.sh", "stage", *arguments], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert _files(checkout) == before


@pytest.mark.parametrize("lost", ["requirements.txt", "functions/price/main.py"])
def test_an_incomplete_checkout_is_not_staged_at_all(lost: str, checkout: Path) -> None:
    (checkout / lost).unlink()
    done = subprocess.run(
        ["./deploy.sh", "stage", "price", "out"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"not in this checkout: {lost}" in done.stderr.replace("./", "")
    assert not (checkout / "out").exists()


# --- the same rule in Terraform -----------------------------------------------------------------------------


def _archived(checkout: Path, name: str, scratch: Path) -> dict[str, Any]:
    """What Terraform puts into a function's archive; the module has no provider, so nothing is downloaded."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("terraform is not on this machine")
    if not scratch.exists():
        shutil.copytree(checkout / "terraform" / "modules" / "bundle", scratch)
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    variables = [f"-var=root={checkout}", f"-var=function={name}"]
    for command in (["init", "-backend=false"], ["apply", "-auto-approve", *variables]):
        done = subprocess.run(
            [terraform, *command, "-input=false", "-no-color"],
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
    output = subprocess.run(
        [terraform, "output", "-json"], cwd=scratch, env=environment, capture_output=True, check=True
    )
    return {key: entry["value"] for key, entry in json.loads(output.stdout).items()}


def _same(checkout: Path, name: str, tmp_path: Path) -> None:
    staged = tmp_path / f"staged-{name}"
    subprocess.run([checkout / "deploy.sh", "stage", name, staged], check=True)
    archived = _archived(checkout, name, tmp_path / "module")["files"]
    assert _files(staged) == {path: (checkout / source).read_text() for path, source in archived.items()}


def test_terraform_archives_what_is_staged(checkout: Path, tmp_path: Path) -> None:
    for name in FUNCTIONS:
        _same(checkout, name, tmp_path)


def test_terraform_archives_what_is_staged_from_this_very_checkout(tmp_path: Path) -> None:
    _same(ROOT, "fifteen_min_job", tmp_path)


def test_the_archive_is_named_anew_when_something_shipped_changes_and_only_then(
    checkout: Path, tmp_path: Path
) -> None:
    def name_of() -> str:
        return str(_archived(checkout, "price", tmp_path / "module")["hash"])

    (checkout / "common" / "linked.py").unlink()
    before = name_of()
    (checkout / "common" / "README.md").write_text("changed")
    assert name_of() == before
    (checkout / "common" / "domain" / "decimals.py").write_text("changed")
    changed = name_of()
    assert changed != before
    (checkout / "common" / "domain" / "decimals.py").rename(checkout / "common" / "domain" / "numbers.py")
    assert name_of() not in (before, changed)


def test_terraform_refuses_an_incomplete_checkout_too(checkout: Path, tmp_path: Path) -> None:
    (checkout / "functions" / "price" / "main.py").unlink()
    with pytest.raises(RuntimeError, match=r"Not in this checkout: functions/price/main\.py"):
        _archived(checkout, "price", tmp_path / "module")


# --- what has to be there -------------------------------------------------------------------------------------


def test_without_a_command_it_lists_them(deployment: Deployment) -> None:
    done = deployment.run()
    assert done.returncode == 0
    commands = re.findall(r"^  ([a-z]+)", done.stdout, re.MULTILINE)
    assert commands == [
        *("stage", "plan", "apply", "secrets", "run", "logs"),
        *("status", "pause", "resume", "verify", "restore", "destroy"),
    ]
    assert deployment.run("deploy").returncode == 1


COMMANDS = [
    *(["plan"], ["apply"], ["secrets"], ["run", "price"], ["logs", "price"], ["status"]),
    *(["pause", "why"], ["resume"], ["verify"], ["restore"], ["destroy"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_missing_tool_is_named_before_anything_is_done(command: list[str], deployment: Deployment) -> None:
    (deployment.bin / "terraform").unlink()
    (deployment.bin / "gcloud").unlink()
    done = deployment.run(*command)
    assert done.returncode == 1
    assert "not installed: terraform gcloud" in done.stderr
    assert deployment.calls == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_without_an_account_nothing_is_done(command: list[str], deployment: Deployment) -> None:
    deployment.answer("^gcloud auth list", "")
    done = deployment.run(*command)
    assert done.returncode == 1
    assert "gcloud auth login" in done.stderr
    assert all(re.match("terraform version|gcloud auth list", call) for call in deployment.calls)


@pytest.mark.parametrize("command", COMMANDS[2:], ids=lambda command: command[0])
def test_before_the_first_apply_there_is_nothing_to_command(command: list[str], deployment: Deployment) -> None:
    deployment.answer("^terraform .*output", "No outputs found", 1)
    done = deployment.run(*command)
    assert done.returncode == 1
    assert "./deploy.sh apply first" in done.stderr


@pytest.mark.parametrize(
    ("command", "permission"),
    [
        (["plan"], "redis.instances.create"),
        (["apply"], "iam.serviceAccounts.actAs"),
        (["secrets"], "secretmanager.versions.add"),
        (["run", "price"], "cloudscheduler.jobs.run"),
        (["logs", "price"], "logging.logEntries.list"),
        (["verify"], "run.services.getIamPolicy"),
    ],
)
def test_a_missing_permission_is_named(command: list[str], permission: str, deployment: Deployment) -> None:
    deployment.answer("testIamPermissions", _granted(permission))
    done = deployment.run(*command)
    assert done.returncode == 1
    assert f"ann@example.com lacks in project my-project: {permission}" in done.stderr
    assert not any(re.search("plan|apply|versions add|jobs run|logging read", call) for call in deployment.calls)


def test_a_project_that_cannot_be_seen_is_said(deployment: Deployment) -> None:
    deployment.answer("testIamPermissions", "", 22)
    assert "cannot ask project my-project" in deployment.run("plan").stderr


@pytest.mark.parametrize("version", ["0.15.5", "1.9.8", "1.10.5"])
def test_an_old_terraform_is_refused(version: str, deployment: Deployment) -> None:
    deployment.answer("^terraform version", f"Terraform v{version}")
    assert "1.11 or newer is needed" in deployment.run("plan").stderr


def test_terraforms_own_credentials_are_asked_for(deployment: Deployment) -> None:
    deployment.answer("application-default", "", 1)
    assert "gcloud auth application-default login" in deployment.run("plan").stderr
    assert deployment.run("plan", GOOGLE_APPLICATION_CREDENTIALS="key.json").returncode == 0


# --- plan, apply ------------------------------------------------------------------------------------------------


def test_plan_hands_its_words_to_terraform(deployment: Deployment) -> None:
    assert deployment.run("plan", "-out=next.tfplan").returncode == 0
    assert deployment.calls[-2:] == [
        "terraform -chdir=CHECKOUT/terraform init -input=false",
        "terraform -chdir=CHECKOUT/terraform plan -out=next.tfplan",
    ]
    assert not (deployment.root / "terraform" / "profile.auto.tfvars").exists()


def test_apply_remembers_the_profile_and_tells_the_address(deployment: Deployment) -> None:
    done = deployment.run("apply", "durable", "-auto-approve")
    assert done.returncode == 0
    assert "203.0.113.7" in done.stdout
    assert "terraform -chdir=CHECKOUT/terraform apply -auto-approve" in deployment.calls
    chosen = deployment.root / "terraform" / "profile.auto.tfvars"
    assert chosen.read_text() == (TERRAFORM / "profiles" / "durable.tfvars").read_text()
    assert deployment.run("apply", "lean").returncode == 0
    assert chosen.read_text() == (TERRAFORM / "profiles" / "lean.tfvars").read_text()


def test_a_profile_changed_by_hand_is_not_overwritten(deployment: Deployment) -> None:
    chosen = deployment.root / "terraform" / "profile.auto.tfvars"
    chosen.write_text("redis = { memory_gb = 2 }\n")
    assert "changed by hand" in deployment.run("apply", "lean").stderr
    assert chosen.read_text() == "redis = { memory_gb = 2 }\n"
    assert deployment.run("apply").returncode == 0
    assert "no such profile: cheap" in deployment.run("apply", "cheap").stderr


def test_without_a_project_the_way_to_name_it_is_told(deployment: Deployment) -> None:
    (deployment.root / "terraform" / "terraform.tfvars").unlink()
    assert "terraform.tfvars.example" in deployment.run("plan").stderr
    assert deployment.run("plan", TF_VAR_project_id="other-project").returncode == 0
    assert any("projects/other-project:" in call for call in deployment.calls)


def test_a_failed_init_stops_it(deployment: Deployment) -> None:
    deployment.answer(" init ", "", 1)
    assert deployment.run("apply").returncode == 1
    assert not any(call.endswith(" apply") for call in deployment.calls)


# --- secrets ----------------------------------------------------------------------------------------------------


def _pinned(deployment: Deployment) -> str:
    return re.sub(r"^#.*\n", "", (deployment.root / "terraform" / "secrets.auto.tfvars").read_text())


def test_a_key_goes_to_secret_manager_and_only_its_version_is_written_down(deployment: Deployment) -> None:
    deployment.answer("versions add mexc-api-key", "projects/1/secrets/mexc-api-key/versions/3")
    deployment.answer("versions add mexc-secret-key", "projects/1/secrets/mexc-secret-key/versions/4")
    done = deployment.run("secrets", "trade", "2026-01-31", stdin="mx0vglKEY\nvery-SECRET\n")
    assert done.returncode == 0, done.stderr
    assert deployment.stdin_of("gcloud secrets versions add mexc-api-key") == "mx0vglKEY"
    assert deployment.stdin_of("gcloud secrets versions add mexc-secret-key") == "very-SECRET"
    assert _pinned(deployment) == (
        "secret_versions = {\n  mexc_api_key         = 3\n  mexc_secret_key      = 4\n}\n"
        'mexc_key_created = "2026-01-31"\n'
    )
    seen = done.stdout + done.stderr + "".join(deployment.calls) + _pinned(deployment)
    assert "mx0vglKEY" not in seen
    assert "very-SECRET" not in seen


def test_each_pair_is_pinned_without_touching_the_other(deployment: Deployment) -> None:
    deployment.answer("versions add", "projects/1/secrets/x/versions/3")
    deployment.run("secrets", "trade", "2026-01-31", stdin="key\nsecret\n")
    deployment.answer("versions add", "projects/1/secrets/x/versions/8")
    assert deployment.run("secrets", "read", stdin="key\nsecret\n").returncode == 0
    assert any("versions add read-mexc-api-key" in call for call in deployment.calls)
    assert _pinned(deployment) == (
        "secret_versions = {\n  mexc_api_key         = 3\n  mexc_secret_key      = 3\n"
        "  read_mexc_api_key    = 8\n  read_mexc_secret_key = 8\n}\n"
        'mexc_key_created = "2026-01-31"\n'
    )
    deployment.answer("versions add", "projects/1/secrets/x/versions/9")
    deployment.run("secrets", "trade", "2026-04-01", stdin="key\nsecret\n")
    assert "mexc_api_key         = 9\n" in _pinned(deployment)
    assert "read_mexc_api_key    = 8\n" in _pinned(deployment)
    assert 'mexc_key_created = "2026-04-01"\n' in _pinned(deployment)


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["trade"], "key\n\n", "an empty key"),
        (["trade"], "", "an empty key"),
        (["write"], "key\nsecret\n", "usage"),
        (["trade", "yesterday"], "key\nsecret\n", "not a day"),
    ],
)
def test_no_half_key_is_added(arguments: list[str], stdin: str, says: str, deployment: Deployment) -> None:
    done = deployment.run("secrets", *arguments, stdin=stdin)
    assert done.returncode == 1
    assert says in done.stderr
    assert not any("versions add" in call for call in deployment.calls)
    assert not (deployment.root / "terraform" / "secrets.auto.tfvars").exists()


def test_a_version_that_could_not_be_added_is_not_pinned(deployment: Deployment) -> None:
    deployment.answer("versions add", "PERMISSION_DENIED", 1)
    done = deployment.run("secrets", stdin="key\nsecret\n")
    assert done.returncode == 1
    assert "no version of mexc-api-key was added" in done.stderr
    assert not (deployment.root / "terraform" / "secrets.auto.tfvars").exists()


# --- jobs -------------------------------------------------------------------------------------------------------


def test_a_job_is_called_by_its_schedule(deployment: Deployment) -> None:
    deployment.answer("output -raw name_prefix$", "dev-")
    assert deployment.run("run", "fifteen_min_job").returncode == 0
    assert deployment.calls[-1] == (
        "gcloud scheduler jobs run dev-fifteen-min-job --location=asia-southeast1 --project=my-project"
    )


@pytest.mark.parametrize("arguments", [["ops"], ["nothing"], []])
def test_only_jobs_are_called(arguments: list[str], deployment: Deployment) -> None:
    assert deployment.run("run", *arguments).returncode == 1
    assert not any("jobs run" in call for call in deployment.calls)


def test_the_lines_of_one_function_are_read(deployment: Deployment) -> None:
    assert deployment.run("logs", "ops").returncode == 0
    assert 'resource.labels.service_name="ops"' in deployment.calls[-1]
    assert deployment.run("logs", "nothing").returncode == 1


# --- ops --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        (["status"], "GET", "/", None),
        (["pause", 'the "odd" \\ price'], "POST", "/", {"command": "pause", "reason": 'the "odd" \\ price'}),
        (
            ["pause", "holiday", "2026-01-31T12:00:00Z"],
            "POST",
            "/",
            {"command": "pause", "reason": "holiday", "until": "2026-01-31T12:00:00Z"},
        ),
        (["resume"], "POST", "/", {"command": "resume"}),
        (["restore"], "POST", "/", {"command": "restore"}),
        (["restore", "exchange"], "POST", "/", {"command": "restore", "source": "exchange"}),
    ],
)
def test_commands_reach_ops(
    command: list[str], method: str, path: str, body: dict[str, str] | None, deployment: Deployment
) -> None:
    done = deployment.run(*command)
    assert done.returncode == 0, done.stderr
    assert '"status": "success"' in done.stdout
    call = next(call for call in deployment.calls if call.startswith("curl") and "a.run.app" in call)
    assert f"--request {method} " in call
    assert call.endswith(f"https://ops-hash-as.a.run.app{path}")
    sent = re.search(r"--data (.*) --write-out", call)
    assert (json.loads(sent.group(1)) if sent else None) == body


def test_the_token_is_seen_by_nobody(deployment: Deployment) -> None:
    done = deployment.run("status")
    assert deployment.stdin_of("curl") == 'header = "Authorization: Bearer eyJ.identity"\n'
    assert "eyJ.identity" not in "".join(deployment.calls) + done.stdout + done.stderr


def test_a_users_token_is_made_out_for_gcloud_and_a_service_accounts_for_ops(deployment: Deployment) -> None:
    deployment.run("status")
    assert "gcloud auth print-identity-token" in deployment.calls
    deployment.answer("^gcloud auth list", "bot@other.iam.gserviceaccount.com")
    deployment.run("status")
    assert f"gcloud auth print-identity-token --audiences={OUTPUTS['ops_audience']}" in deployment.calls


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        ("Forbidden\n403", 0, "ops refuses ann@example.com (403): it has to be among operators"),
        ("Unauthorized\n401", 0, "ops refuses ann@example.com (401)"),
        ('{"status": "error", "error": {"code": "store_unreachable"}}\n503', 0, "ops answered 503"),
        ("", 7, "ops cannot be reached"),
        ('{"status": "skipped", "reason": "The ledger in Redis is not empty"}\n200', 0, "did not do it"),
    ],
)
def test_a_refusal_of_ops_is_told(answer: str, code: int, says: str, deployment: Deployment) -> None:
    deployment.answer("^curl .*a.run.app", answer, code)
    done = deployment.run("resume")
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.parametrize("arguments", [[], [""], ["a", "b", "c"]])
def test_a_pause_wants_a_reason(arguments: list[str], deployment: Deployment) -> None:
    assert deployment.run("pause", *arguments).returncode == 1
    assert not any("a.run.app" in call for call in deployment.calls)


def test_a_restore_is_from_the_journal_or_the_exchange(deployment: Deployment) -> None:
    assert "usage" in deployment.run("restore", "backup").stderr
    assert deployment.calls == []


def test_status_shows_the_schedules_too(deployment: Deployment) -> None:
    deployment.run("status")
    assert deployment.calls[-1].startswith("gcloud scheduler jobs list --location=asia-southeast1")


# --- verify -----------------------------------------------------------------------------------------------------


def test_verify_is_content_when_all_is_well(deployment: Deployment) -> None:
    done = deployment.run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "All is well." in done.stdout
    assert "ok    schedule rebalance is paused" in done.stdout
    assert "ok    inside: clock: clock seen" in done.stdout
    assert "look  inside: key_without_withdrawal: key_without_withdrawal seen" in done.stdout


@pytest.mark.parametrize(
    ("pattern", "answer", "code", "says"),
    [
        ("functions describe cost", "FAILED", 0, "function cost is deployed: FAILED"),
        ("get-iam-policy price", "['allUsers']", 0, "function price is closed to strangers"),
        ("get-iam-policy ops", "['allAuthenticatedUsers']", 0, "function ops is closed to strangers"),
        ("get-iam-policy ops", "ERROR: (gcloud) no", 1, "function ops is closed to strangers"),
        ("jobs describe price .*value.state", "PAUSED_BY_FATE", 0, "schedule price is enabled"),
        ("jobs describe balance .*lastAttemptTime", "", 0, "schedule balance has fired: never"),
        ("jobs describe cost .*status.code", "14", 0, "schedule cost was answered with success: status 14"),
        ("compute addresses list", "", 0, "the exchange sees 203.0.113.7 and nothing else"),
        ("nats describe", f"MANUAL_ONLY {LINK};https://other", 0, "the exchange sees 203.0.113.7"),
        ("nats describe", "AUTO_ONLY", 0, "the exchange sees 203.0.113.7 and nothing else: NAT: AUTO_ONLY"),
        ("redis instances", "READY True SERVER_AUTHENTICATION RDB volatile-lru", 0, "never evicts: READY"),
        ("redis instances", "READY True SERVER_AUTHENTICATION RDB", 0, "never evicts"),
        ("curl .*/verify", _report(clock=True, keys_present=False), 0, "inside: keys_present: keys_present seen"),
        ("curl .*/verify", '{"status": "error", "error": {}}\n200', 0, "inside: ops gives no report"),
        ("curl .*/verify", "<html>\n200", 0, "inside: ops gives no report: <html>"),
        ("curl .*/verify", "\n503", 0, "ops answered 503"),
        ("curl .*/verify", "Forbidden\n403", 0, "ops refuses ann@example.com"),
    ],
)
def test_verify_names_what_is_wrong_and_goes_on(
    pattern: str, answer: str, code: int, says: str, deployment: Deployment
) -> None:
    deployment.answer(pattern, answer, code)
    done = deployment.run("verify")
    assert done.returncode == 1
    assert says in done.stdout
    assert done.stdout.count("FAIL  ") == 1
    assert "1 of the checks failed" in done.stderr


# --- destroy ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["", "yes\n", "my-projec\n"])
def test_nothing_is_destroyed_unless_the_project_is_named(answer: str, deployment: Deployment) -> None:
    done = deployment.run("destroy", stdin=answer)
    assert done.returncode == 1
    assert "nothing was deleted" in done.stderr
    assert not any(re.search("destroy|delete|state", call) for call in deployment.calls)


def test_destroy_keeps_the_address_and_the_journal(deployment: Deployment) -> None:
    kept = ["google_compute_address.egress[0]", "google_redis_instance.store", "google_storage_bucket.journal"]
    others = ["google_storage_bucket.source", "google_storage_bucket_iam_member.journal_reader"]
    deployment.answer("state list", "\n".join([*kept, *others]))
    done = deployment.run("destroy", "-auto-approve", stdin="my-project\n")
    assert done.returncode == 0, done.stderr
    assert "7.30 USD a month" in done.stdout
    terraform = "terraform -chdir=CHECKOUT/terraform"
    acts = [call for call in deployment.calls if re.search("destroy|instances delete|state rm", call)]
    assert acts == [
        f"{terraform} destroy -auto-approve -target=google_cloud_scheduler_job.job",
        "gcloud redis instances delete qrl-bot --region=asia-southeast1 --project=my-project --quiet",
        *(f"{terraform} state rm {address}" for address in kept),
        f"{terraform} destroy -auto-approve",
    ]


def test_a_destroy_can_be_repeated(deployment: Deployment) -> None:
    deployment.answer("redis instances describe", "NOT_FOUND", 1)
    deployment.answer("state list", "google_storage_bucket.source")
    assert deployment.run("destroy", stdin="my-project\n").returncode == 0
    assert not any(re.search("instances delete|state rm", call) for call in deployment.calls)


# --- what has to agree with the rest -----------------------------------------------------------------------------


def _terraform_text() -> str:
    return "\n".join(path.read_text() for path in sorted(TERRAFORM.glob("*.tf")))


@pytest.mark.parametrize(
    "resource",
    ["google_redis_instance.store", "google_compute_address.egress", "google_storage_bucket.journal"],
)
def test_what_cannot_be_brought_back_is_protected(resource: str) -> None:
    kind, name = resource.split(".")
    block = re.search(rf'^resource "{kind}" "{name}" {{\n(.*?)^}}', _terraform_text(), re.MULTILINE | re.DOTALL)
    assert block
    assert re.search(r"prevent_destroy\s*= true", block.group(1))


def test_every_setting_terraform_makes_is_one_the_bot_reads() -> None:
    reserved = re.search(r"reserved_settings = \[(.*?)\]", _terraform_text(), re.DOTALL)
    assert reserved
    names = set(re.findall(r'"([A-Z_]+)"', reserved.group(1)))
    read = {name.upper() for name in Settings.model_fields} | {"LOG_EXECUTION_ID"}
    assert names <= read


def test_terraform_knows_every_setting_of_the_bot_and_no_other() -> None:
    known = set(json.loads((TERRAFORM / "settings.json").read_text()))
    settings = {name.upper() for name in Settings.model_fields}
    assert known == settings, (
        f"terraform/settings.json, lacking or stale: {known ^ settings}; `make settings` writes it"
    )


def test_both_sides_name_the_same_functions() -> None:
    table = re.search(r"functions = {\n(.*?)\n  }", (TERRAFORM / "jobs.tf").read_text(), re.DOTALL)
    assert table
    assert re.findall(r"^    (\w+)", table.group(1), re.MULTILINE) == FUNCTIONS


def test_every_alert_and_every_command_is_in_the_operators_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    titles = re.findall(r'title\s*= "([^"]+)"', (TERRAFORM / "alerts.tf").read_text())
    assert len(titles) == 10
    for title in titles:
        assert f"### {title.replace('${row.task}', '<task>')}\n" in page
    for command in re.findall(r"^  ([a-z]+)", _usage(), re.MULTILINE):
        assert f"deploy.sh {command}" in page


def _usage() -> str:
    return subprocess.run([ROOT / "deploy.sh"], capture_output=True, text=True, check=True).stdout
