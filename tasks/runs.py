"""A run in the results database: begun, gone on with, and ended."""

from contextlib import suppress
from dataclasses import dataclass

from model.compute import choose_compute, describe_device
from storage.database import records, results
from storage.database.records import FinalStatus
from storage.database.session import transaction
from storage.database.tables import Run, RunProcess
from storage.errors import InputError
from storage.files import fetch_folder, publish_folder, remove_partials
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.settings import Settings
from tasks.support.run import OpenRun
from tasks.support.step import step
from tasks.support.versions import code_version, library_versions


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a new run is made with; ``model_id`` is the stored model that it uses, if any."""

    source: str
    preset: str
    settings: Settings
    model_id: int | None = None


@step()
def begin_run(new: NewRun, flow_name: str, flow_run_id: str, space: Workspace) -> OpenRun:
    """Record that a run begins, or find the one that this flow run began before.

    Until its lock is held and it is marked as running, it counts as crashed: killed in between,
    it stays so. Raises InputError if the run of this flow run went on as another.
    """
    compute = choose_compute(new.settings.device, new.settings.precision)
    with transaction(space.database_url) as session:
        row = results.run_of_flow_run(session, flow_run_id)
        if row is None and (taken := results.run_taken_over(session, flow_run_id)):
            raise InputError(
                f"run {taken.id} went on as flow run {taken.prefect_flow_run_id}: retry that one"
            )
        if row is None:
            row = Run(
                flow_name=flow_name,
                prefect_flow_run_id=flow_run_id,
                status="crashed",
                source=new.source,
                preset=new.preset,
                settings=new.settings.model_dump(mode="json"),
                seed=new.settings.seed,
                device=f"{describe_device(compute.device)}, {compute.precision}",
                code_version=code_version(),
                library_versions=library_versions(),
                model_id=new.model_id,
                workspace=space.identity(),
                directory="",
            )
            records.start_run(session, row)
            row.directory = space.new_run_folder(f"{row.id:04d}-{flow_name.removesuffix('-flow')}")
        return _opened(row, space)


@step()
def find_stopped_run(run_id: int, flow_name: str, space: Workspace) -> OpenRun:
    """Find a run to go on with."""
    with transaction(space.database_url) as session:
        return _opened(results.find_stopped_run(session, run_id, flow_name), space)


@step()
def mark_running(run: OpenRun, flow_run_id: str) -> str | None:
    """Record that a run goes on as this flow run in this process, which holds its lock.

    Returns the flow run that it went on as before, if that was another.
    """
    remove_partials(run.folder.directory)  # of a process before this one, which was killed
    with transaction(run.space.database_url) as session:
        former = session.get_one(Run, run.id).prefect_flow_run_id
        records.reopen_run(session, run.id, flow_run_id)
        process = RunProcess(
            run_id=run.id,
            prefect_flow_run_id=flow_run_id,
            device=describe_device(run.compute.device),
            precision=run.compute.precision,
            code_version=code_version(),
            library_versions=library_versions(),
        )
        records.record_process(session, process)
    return None if former == flow_run_id else former


@step()
def finish_run(run: OpenRun) -> None:
    """Record that a run reached its end; nobody will go on with it."""
    run.folder.remove_working_files()
    publish_folder(run.folder.directory)
    with transaction(run.space.database_url) as session:
        records.finish_run(session, run.id, "complete")


def stop_run(run: OpenRun, error: BaseException) -> None:
    """Record that a run was interrupted or has failed, by the process that holds its lock."""
    with suppress(InputError):  # of the object store; the first counts
        publish_folder(run.folder.directory)
    status: FinalStatus = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
    with transaction(run.space.database_url) as session:
        records.finish_run(session, run.id, status, f"{type(error).__name__}: {error}")


def end_run_of_flow(
    flow_run_id: str, status: FinalStatus, reason: str | None, space: Workspace
) -> None:
    """Record how Prefect saw a flow run end; it may not have begun a run.

    A run whose lock is held goes on in another process: only a second one was refused here.
    """
    with transaction(space.database_url) as session:
        row = results.run_of_flow_run(session, flow_run_id)
        if row is None or row.finished_at is not None:
            return
        with space.try_lock(_folder(row, space).lock, is_patient=True) as has_ended:
            if has_ended:
                records.finish_run(session, row.id, status, reason)


def _opened(row: Run, space: Workspace) -> OpenRun:
    settings = Settings.model_validate(row.settings)
    compute = choose_compute(settings.device, settings.precision)
    folder = _folder(row, space)
    fetch_folder(folder.directory)  # another machine may have begun it
    return OpenRun(row.id, folder, row.source, row.preset, settings, compute, space, row.model_id)


def _folder(row: Run, space: Workspace) -> RunFolder:
    return RunFolder(space.home / row.directory)
