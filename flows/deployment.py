"""The steps in `prefect.yaml`: two that register a deployment, one before each of its runs."""

from datetime import timedelta
from pathlib import Path

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

SILENT_RUNS = "samehand: silent runs have crashed"


def enter_checkout() -> dict[str, str]:
    """Work in the checkout of the machine that runs, whichever machine registered it."""
    return {"directory": str(Path(__file__).parents[1])}


async def limit_queue(pool: str, queue: str, limit: int) -> dict[str, str]:
    """Limit the number of runs that a work queue lets go on at once.

    The server counts them. A deployment's own limit is a lease that runs must renew: if the server
    is away for minutes, Prefect ends them.
    """
    async with get_client() as client:
        try:
            found = await client.read_work_queue_by_name(queue, work_pool_name=pool)
        except ObjectNotFound:
            await client.create_work_queue(queue, concurrency_limit=limit, work_pool_name=pool)
        else:
            await client.update_work_queue(found.id, concurrency_limit=limit)
    return {"queue": queue}


async def watch_for_silence(seconds: int) -> dict[str, str]:
    """Have the server mark a run as Crashed once it has been silent for this many seconds.

    Runs send heartbeats as often as `PREFECT_FLOWS_HEARTBEAT_FREQUENCY` says, but only an
    automation makes the server listen for them. Registering it again replaces it.
    """
    ours = Automation(
        name=SILENT_RUNS,
        description="Nothing was heard of these runs: machine, worker or process are gone.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},  # another heartbeat, or any change of its state
            match_related={"prefect.resource.id": "prefect.tag.samehand"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message=f"Nothing heard of this run for {seconds} s."
            )
        ],
    )
    try:
        ours.id = (await Automation.aread(name=SILENT_RUNS)).id
    except ValueError:  # Prefect's way of saying that there is none
        await ours.acreate()
    else:
        await ours.aupdate()
    return {"automation": SILENT_RUNS}
