"""The life of a run: begun in the results database, and ended there by whatever ends the flow."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current_flow_run

from flows.environment import workspace
from flows.settings import Settings, resolve
from model.compute import Compute, choose_compute, describe_device, leave_a_core
from storage.workspace import Workspace
from tasks.records import KeptModel, OpenRun, RunStart, end_run_of_flow, open_run, reopen_run

RECORDED_LIBRARIES = ("torch", "torchvision", "prefect", "pillow", "numpy", "pandas", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run as its flow goes through it: what it is made with, and where it leaves things."""

    run: OpenRun
    settings: Settings
    compute: Compute
    space: Workspace


def begin_run(
    flow_name: str, source: str, preset: str, overrides: Mapping[str, Any] | None
) -> StartedRun:
    """Begin a run; the settings are checked before anything is written.

    A flow run that Prefect starts once more goes on with the run that it began before.
    """
    space = workspace()
    settings = resolve(preset, overrides or {})
    compute = _compute(settings)
    start = RunStart(
        flow_name=flow_name,
        prefect_flow_run_id=str(current_flow_run.id),
        source=source,
        preset=preset,
        settings=settings.model_dump(mode="json"),
        seed=settings.seed,
        device=f"{describe_device(compute.device)}, {compute.precision}",
        code_version=code_version(),
        library_versions=library_versions(),
    )
    return StartedRun(open_run(start, space), settings, compute, space)


def begin_run_of_model(
    flow_name: str, source: str, model: KeptModel, overrides: Mapping[str, Any]
) -> StartedRun:
    """Begin a run of a stored model, with the settings that it was trained with."""
    return begin_run(flow_name, source, model.preset, {**model.settings, **overrides})


def continue_run(run_id: int) -> StartedRun:
    """Go on with a run that was stopped, with its own source and settings."""
    space = workspace()
    run = reopen_run(run_id, str(current_flow_run.id), space)
    settings = Settings.model_validate(run.settings)
    return StartedRun(run, settings, _compute(settings), space)


def _compute(settings: Settings) -> Compute:
    leave_a_core()
    return choose_compute(settings.device, settings.precision)


def mark_failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: bring the results database in line with a flow run that failed."""
    end_run_of_flow(str(flow_run.id), "failed", state.message, workspace())


def mark_crashed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: bring the results database in line with a flow run that crashed."""
    end_run_of_flow(str(flow_run.id), "crashed", state.message, workspace())


def mark_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: bring the results database in line with a flow run that was cancelled."""
    end_run_of_flow(str(flow_run.id), "cancelled", state.message, workspace())


def code_version() -> str:
    """This program's version, and the revision where it runs from a checkout."""
    version = importlib.metadata.version("samehand")
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    revision = described.stdout.strip()
    return f"{version}+{revision}" if revision else version


def library_versions() -> dict[str, str]:
    """The versions of what the figures depend on."""
    versions = {name: importlib.metadata.version(name) for name in RECORDED_LIBRARIES}
    return {"python": platform.python_version(), **versions}
