"""What `prefect deploy --all` registers, against `prefect.yaml`; and the names people type."""

import asyncio
import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.utilities.templating import apply_values
from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration

from flows.cli.app import SHORT_WAITS
from flows.deployment import SILENT_RUNS, watch_for_silence
from tasks.regression import REGRESSED
from tests.operations.conftest import (
    BIN,
    CHECKOUT,
    DEPLOYMENTS,
    FILE,
    Site,
    documented,
    lines_of,
    push_step,
    wait_for,
)

KNOWN_KEYS = {
    "name",
    "description",
    "tags",
    "entrypoint",
    "parameters",
    "work_pool",
    "concurrency_limit",
    "schedules",
    "push",
}


@pytest.mark.usefixtures("site")
def test_tests_that_share_a_site_run_in_one_process(request: pytest.FixtureRequest) -> None:
    """Where they do not, each worker sets up a site of its own, and the suite takes far longer."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@site")


@pytest.mark.parametrize("written", DEPLOYMENTS, ids=lambda written: str(written["name"]))
def test_the_server_agrees_with_prefect_yaml(site: Site, written: dict[str, Any]) -> None:
    shown = site.deployment(written["name"])
    assert written.keys() <= KNOWN_KEYS
    for key in ("name", "description", "tags", "entrypoint", "parameters"):
        assert shown[key] == written[key], key
    assert shown["work_pool_name"] == written["work_pool"]["name"] == "samehand"
    assert SHORT_WAITS.items() <= shown["job_variables"]["env"].items()
    assert shown["job_variables"] == written["work_pool"]["job_variables"]
    if limit := written.get("concurrency_limit"):
        assert shown["global_concurrency_limit"]["limit"] == limit["limit"]
        assert shown["concurrency_options"]["collision_strategy"] == limit["collision_strategy"]
    else:
        assert shown["global_concurrency_limit"] is None
    assert shown["pull_steps"] == FILE["pull"]
    assert shown["enforce_parameter_schema"]


def test_the_schedule_is_that_of_prefect_yaml_and_plans_a_run(site: Site) -> None:
    scheduled = [one for one in DEPLOYMENTS if "schedules" in one]
    assert [one["name"] for one in scheduled] == ["evaluate-flow", "atlas-flow"]
    for one in scheduled:
        (schedule,) = site.deployment(one["name"])["schedules"]
        (written,) = one["schedules"]
        assert schedule["active"] is written["active"] is True
        assert schedule["schedule"]["cron"] == written["cron"]
        assert schedule["schedule"]["timezone"] == written["timezone"]
    shown = site.deployment("evaluate-flow")
    planned = {
        "deployments": {"id": {"any_": [shown["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    wait_for(lambda: bool(site.ask("flow_runs/filter", planned)), "a night is planned", 90)


def test_the_queue_of_trainings_has_the_limit_of_prefect_yaml(site: Site) -> None:
    options = push_step("flows.deployment.limit_queue")
    queue = site.ask(f"work_pools/{options['pool']}/queues/{options['queue']}")
    assert queue["concurrency_limit"] == options["limit"] == 2
    assert site.deployment("train-flow")["work_queue_name"] == options["queue"]


def test_deploying_twice_leaves_one_automation_for_silent_runs(site: Site) -> None:
    (ours,) = [one for one in site.ask("automations/filter", {}) if one["name"] == SILENT_RUNS]
    options = push_step("flows.deployment.watch_for_silence")
    assert ours["trigger"]["within"] == options["seconds"]
    assert ours["actions"][0]["state"] == "CRASHED"
    assert ours["enabled"]
    with site.here():
        asyncio.run(watch_for_silence(**options))  # as another `prefect deploy` does
    assert [one["name"] for one in site.ask("automations/filter", {})].count(SILENT_RUNS) == 1


def test_a_deployment_runs_by_its_full_name(site: Site) -> None:
    tomorrow = ("--start-in", "24 hours")
    done = site.prefect("deployment", "run", "train-flow/train-flow", *tomorrow)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Created flow run" in done.stdout
    assert "'source': 'sample', 'preset': 'demo'" in done.stdout


def test_an_unknown_or_ambiguous_deployment_is_refused(site: Site) -> None:
    unknown = site.prefect("deployment", "run", "nonsense")
    assert unknown.returncode == 1
    assert "Deployment 'nonsense' not found!" in unknown.stdout + unknown.stderr
    twin = site.ask(
        "deployments/", {"name": "train-flow", "flow_id": site.deployment("score-flow")["flow_id"]}
    )
    ambiguous = site.prefect("deployment", "run", "train-flow")
    assert ambiguous.returncode == 1
    assert "score-flow/train-flow, train-flow/train-flow" in ambiguous.stdout + ambiguous.stderr
    httpx.delete(f"{site.api}/deployments/{twin['id']}").raise_for_status()


def test_other_commands_of_prefect_are_unchanged(site: Site) -> None:
    bare = site.prefect("deployment", "inspect", "train-flow")
    assert bare.returncode == 1
    assert "Invalid deployment name" in bare.stdout + bare.stderr


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"settings": {"crop_size": 3}}, "3 is less than the minimum of 32"),
        ({"settings": {"crop_sice": 64}}, "'crop_sice' was unexpected"),
        ({"preset": "finest"}, "'finest' is not one of"),
    ],
)
def test_wrong_parameters_are_refused_before_a_run_is_created(
    site: Site, parameters: dict[str, Any], reason: str
) -> None:
    """Ask the server, as the UI's form and `prefect deployment run` do."""
    path = f"deployments/{site.deployment('train-flow')['id']}/create_flow_run"
    answer = httpx.post(f"{site.api}/{path}", json={"parameters": parameters}, timeout=15)
    assert answer.status_code == httpx.codes.CONFLICT
    assert reason in answer.json()["detail"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of sockets")
def test_the_server_listens_on_loopback_and_sends_nothing_out(site: Site) -> None:
    lines = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    ours = [address for address in listening if address.endswith(f":{site.port:04X}")]
    assert ours == [f"0100007F:{site.port:04X}"]
    assert "telemetry" not in (site.root / "server.log").read_text(encoding="utf-8").lower()


def test_the_documented_everyday_commands_work(site: Site) -> None:
    flow_run = site.run("prepare-flow", source="nowhere")
    site.wait_until(flow_run, "FAILED")
    assert site.status(flow_run) == "failed"
    for command in documented("Day by day"):
        if "cancel" not in command and "automation" not in command:  # as other tests do
            site.run_documented([flow_run if word == "ID" else word for word in command])
    schedules = site.deployment("evaluate-flow")["schedules"]
    assert [one["active"] for one in schedules] == [True]


def test_the_documented_commands_start_and_cancel_runs(site: Site) -> None:
    *_, plain, with_parameters = documented("One machine")
    (cancel,) = [one for one in documented("Day by day") if "cancel" in one]
    started = started_by(site, plain)
    # Before it runs, Prefect can miss a cancellation: the run would stay Cancelling.
    site.wait_until(started, "RUNNING")
    site.run_documented([started if word == "ID" else word for word in cancel])
    site.wait_until(started, "CANCELLED")
    site.pause_trainings()
    planned = started_by(site, with_parameters)
    assert site.flow_run(planned)["parameters"] == {
        "source": "/data/paintings",
        "preset": "demo",
        "settings": {"seed": 1},
    }
    site.end(planned)
    site.pause_trainings(paused=False)


def started_by(site: Site, command: list[str]) -> str:
    """Run a documented command and return the id of the flow run that it created."""
    (flow_run,) = re.findall(r"flow-run/(\S+)", site.run_documented(command))
    return str(flow_run)


def test_the_documented_automation_pauses_the_nightly_evaluation(
    site: Site, tmp_path: Path
) -> None:
    (create,) = [one for one in documented("Day by day") if "automation" in one]
    file = tmp_path / create[-1]
    file.write_text("\n".join(lines_of("Day by day", "yaml")), encoding="utf-8")
    site.run_documented([*create[:-1], str(file)])
    deployment = site.deployment("evaluate-flow")["id"]
    site.emit(
        {
            "event": REGRESSED,
            "resource": {"prefect.resource.id": "samehand.model.1"},
            "related": [
                {
                    "prefect.resource.id": f"prefect.deployment.{deployment}",
                    "prefect.resource.role": "deployment",
                }
            ],
        }
    )
    wait_for(lambda: bool(site.deployment("evaluate-flow")["paused"]), "it is paused", 60)
    httpx.patch(f"{site.api}/deployments/{deployment}", json={"paused": False}).raise_for_status()


def test_the_documented_systemd_units_are_valid(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze on this machine")
    text = "\n".join(lines_of("Several machines", "ini"))
    units = re.findall(r"# /etc/systemd/system/(\S+)\n(.*?)(?=\n# /etc|\Z)", text, re.DOTALL)
    started = [shlex.split(line) for _, unit in units for line in re.findall("Start=(.*)", unit)]
    commands = [["prefect", *words] for (_, *words) in started]
    assert commands == [one for one in documented("One machine") if "start" in one]
    for name, unit in units:
        here = unit.replace("/opt/samehand/.venv/bin", str(BIN)).replace("/opt/samehand", "/")
        (tmp_path / name).write_text(here, encoding="utf-8")
        verify = [program, "verify", "--man=no", str(tmp_path / name)]
        done = subprocess.run(verify, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert name not in done.stderr


def test_in_containers_they_are_the_same_deployments(monkeypatch: pytest.MonkeyPatch) -> None:
    in_containers = yaml.safe_load((CHECKOUT / "prefect.docker.yaml").read_text())
    as_processes = copy.deepcopy(FILE)
    (variables,), (of_processes,) = (
        unique([one["work_pool"].pop("job_variables") for one in file["deployments"]])
        for file in (in_containers, as_processes)
    )
    for part in ("prefect-version", "pull", "deployments"):
        assert in_containers[part] == as_processes[part], part
    monkeypatch.setenv("SAMEHAND_IMAGE", "museum/samehand:1")
    monkeypatch.setenv("SAMEHAND_VOLUME", "/shared/samehand:/data")
    address = variables["env"].pop("SAMEHAND_DATABASE_URL")
    assert address == "{{ prefect.blocks.secret.samehand-database-url }}"
    assert variables["env"] == of_processes["env"]
    # What Prefect's own worker for containers makes of the rest.
    accepted = DockerWorkerJobConfiguration.model_validate(apply_values(variables, {}))
    assert (accepted.image, accepted.volumes) == ("museum/samehand:1", ["/shared/samehand:/data"])
    known = DockerWorker.get_default_base_job_template()["variables"]["properties"]
    assert variables.keys() <= known.keys()


def unique(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The different ones among some values."""
    return [value for place, value in enumerate(values) if value not in values[:place]]


def test_the_image_holds_all_that_is_installed_and_nothing_else() -> None:
    copied = {
        source
        for line in re.findall("^COPY (?!--from)(.*)$", (CHECKOUT / "Dockerfile").read_text(), re.M)
        for source in line.split()[:-1]
    }
    let_through = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} == {line for line in let_through if line[0] == "!"}
    packages = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert {name.split(".")[0] for name in packages["packages"]} <= copied
    assert all((CHECKOUT / name).exists() for name in copied)
