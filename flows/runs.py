"""The life of a run: begun in the results database, and ended there by whatever ends the flow."""

import importlib.metadata
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.runtime import flow_run as current_flow_run

from flows.environment import workspace
from flows.settings import Settings, resolve
from model.compute import Compute, choose_compute, describe_device
from storage.errors import InputError
from storage.locks import try_lock
from storage.sources import full_name
from storage.workspace import Workspace
from tasks.records import (
    KeptModel,
    OpenRun,
    RunStart,
    end_run_of_flow,
    find_kept_model,
    find_model_of_run,
    find_stopped_run,
    finish_run,
    mark_running,
    open_run,
)
from tasks.support.artifacts import name_flow_run
from tasks.support.dead_runs import end_dead_runs
from tasks.support.output import survive_closed_output

RECORDED_LIBRARIES = ("torch", "torchvision", "prefect", "pillow", "numpy", "pandas", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run as its flow goes through it: what it is made with, and where it leaves things."""

    run: OpenRun
    settings: Settings
    compute: Compute
    space: Workspace


@contextmanager
def new_run(
    flow_name: str,
    source: str,
    preset: str,
    overrides: Mapping[str, Any] | None,
    model_id: int | None = None,
) -> Iterator[StartedRun]:
    """Record a run for as long as the block lasts; one that Prefect starts again goes on.

    Settings are checked before anything is written. The run is complete when the block ends well;
    hooks record every other end.
    """
    space = workspace()
    settings = resolve(preset, overrides or {})
    compute = choose_compute(settings.device, settings.precision)
    start = RunStart(
        flow_name=flow_name,
        prefect_flow_run_id=str(current_flow_run.id),
        source=full_name(source),
        preset=preset,
        settings=settings.model_dump(mode="json"),
        seed=settings.seed,
        device=f"{describe_device(compute.device)}, {compute.precision}",
        code_version=code_version(),
        library_versions=library_versions(),
        model_id=model_id,
    )
    with _going_on(open_run(start, space), space) as run:
        yield StartedRun(run, settings, compute, space)


def model_to_use(named: int | None, space: Workspace, resume: int | None = None) -> KeptModel:
    """The model that is named, the champion if none is; a run that goes on keeps its own."""
    begun_with = find_model_of_run(resume, str(current_flow_run.id), space)
    return find_kept_model(begun_with or named, space)


def run_of_model(
    flow_name: str, source: str, model: KeptModel, overrides: Mapping[str, Any]
) -> AbstractContextManager[StartedRun]:
    """Record a run of a stored model, with the settings that it was trained with."""
    # Complete: what a run of an earlier version does not say is not what its preset says now.
    trained_with = Settings.model_validate(model.settings).model_dump(mode="json")
    return new_run(flow_name, source, model.preset, {**trained_with, **overrides}, model.id)


@contextmanager
def continued_run(run_id: int, flow_name: str = "train-flow") -> Iterator[StartedRun]:
    """Go on with a run that was stopped, with its own source and settings."""
    space = workspace()
    with _going_on(find_stopped_run(run_id, space, flow_name), space) as run:
        settings = Settings.model_validate(run.settings)
        yield StartedRun(run, settings, choose_compute(settings.device, settings.precision), space)


@contextmanager
def _going_on(run: OpenRun, space: Workspace) -> Iterator[OpenRun]:
    """Hold the run's lock, so that everybody can see whether its process still lives."""
    survive_closed_output()
    with try_lock(run.folder.lock) as is_ours:
        if not is_ours:
            raise InputError(f"run {run.id} is going on in another process; wait, or cancel it")
        name_flow_run(name_of(run))
        end_dead_runs(space)
        mark_running(run, str(current_flow_run.id), space)
        yield run
        finish_run(run, space)


def name_of(run: OpenRun) -> str:
    """What a run does: its flow, its source, its preset and the model where it has one."""
    what = current_flow_run.flow_name.removesuffix("-flow")
    model = f", model {run.model_id}" if run.model_id is not None else ""
    return f"{what} {run.source} ({run.preset}{model})"


def mark_failed(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Hook: bring the results database in line with a flow run that failed."""
    reason = (state.message or "").removeprefix("Flow run encountered an exception: ")
    end_run_of_flow(str(flow_run.id), "failed", reason, workspace())


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
