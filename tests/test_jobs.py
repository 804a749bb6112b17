"""One list of jobs, the folders under functions/: whoever names them all is held against it."""

import re

from common.ops import views
from common.ops.state import JOBS
from common.report.values import INTERVALS
from local.player import SCHEDULE
from tests.conftest import FUNCTIONS, ROOT

OPERATORS = "ops"
"""The one function that no schedule calls."""
SCHEDULED = [name for name in FUNCTIONS if name != OPERATORS]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def schedules() -> dict[str, str]:
    """The schedule of each job, as Terraform's one table has it."""
    table = dict(
        re.findall(
            r"^ +(\w+) += \{ task = .*?schedule = (null|\"[^\"]+\")", text("terraform/modules/jobs/main.tf"), re.M
        )
    )
    assert sorted(table) == FUNCTIONS, "Terraform deploys what there is"
    return {name: schedule.strip('"') for name, schedule in table.items() if schedule != "null"}


def test_every_list_of_jobs_names_what_there_is() -> None:
    bash = text("deploy.sh")
    lists = {
        "Terraform's schedules": (list(schedules()), SCHEDULED),
        "jobs of deploy.sh": ((re.search(r'^jobs="(.*)"$', bash, re.M) or [""])[1].split(), SCHEDULED),
        "stage of deploy.sh": ((re.search(r"stage <job>.*\((.*)\)", bash) or [""])[1].split(), FUNCTIONS),
        "README": (re.findall(r"^\| `(\w+)` \| ", text("README.md"), re.M)[: len(FUNCTIONS)], FUNCTIONS),
        "ops": (list(JOBS), SCHEDULED),
        "the name in each job": ([job.name for name in JOBS if (job := views.job(name))], SCHEDULED),
    }
    for name, (found, wanted) in lists.items():
        assert sorted(found) == wanted, name


def test_the_player_and_the_report_go_by_the_schedules_that_terraform_deploys_unpaused() -> None:
    paused = re.search(r'variable "jobs_paused".*?default += \[(.*?)\]', text("terraform/variables.tf"), re.S)
    assert paused, "which jobs are paused"
    unpaused = {name: each for name, each in schedules().items() if f'"{name}"' not in paused[1]}
    assert unpaused == SCHEDULE
    every = {"*": 1}
    minutes = {name: every.get(each.split()[0]) or int(each.split()[0][2:]) for name, each in SCHEDULE.items()}
    assert {name: seconds // 60 for name, seconds in INTERVALS.items()} == minutes
