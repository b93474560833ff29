"""The steps that `prefect.yaml` names: one as a deployment is registered, one before its runs."""

from datetime import timedelta
from pathlib import Path

from prefect.automations import Automation
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

SILENT_RUNS = "samehand: silent runs have crashed"


def enter_checkout() -> dict[str, str]:
    """Work where this machine's samehand is installed from, whichever machine registered it."""
    return {"directory": str(Path(__file__).parents[1])}


async def watch_for_silence(seconds: int) -> dict[str, str]:
    """Have the server turn a run into Crashed once it has been silent for so many seconds.

    A run sends a heartbeat as often as `PREFECT_FLOWS_HEARTBEAT_FREQUENCY` says; only an
    automation makes the server listen for them. Registered again, it replaces its former self.
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
