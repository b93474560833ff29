"""A plugin of Prefect's command line: `prefect deployment run train-flow`.

Prefect itself requires FLOW/DEPLOYMENT. This resolves a bare name that only one deployment has, and
leaves every other name and command to Prefect.
"""

import inspect
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect.plugins import register_hook

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.plugins import HookContext


@register_hook
def setup_environment(*, ctx: "HookContext") -> None:
    """Resolve bare names in this process. Prefect calls this hook as it starts."""
    if not is_deployment_run(sys.argv):
        return
    from prefect.client.orchestration import PrefectClient

    theirs: Any = getattr(PrefectClient, "read_deployment_by_name", None)
    if theirs is None or [*inspect.signature(theirs).parameters] != ["self", "name"]:
        ctx.logger_factory("samehand").debug("This Prefect resolves names in another way")
        return

    async def read_deployment_by_name(client: PrefectClient, name: str) -> Any:
        return await theirs(client, name if "/" in name else await _full_name(client, name))

    setattr(PrefectClient, "read_deployment_by_name", read_deployment_by_name)  # noqa: B010


def is_deployment_run(arguments: Sequence[str]) -> bool:
    """Return whether these arguments are `prefect deployment run`, with or without options.

    >>> is_deployment_run(["prefect", "--profile", "local", "deployment", "run", "train-flow"])
    True
    >>> is_deployment_run(["prefect", "deployment", "delete", "train-flow"])
    False
    """
    words = [word for word in arguments[1:] if not word.startswith("-")]
    return any(words[i : i + 2] == ["deployment", "run"] for i in range(min(len(words), 2)))


async def _full_name(client: "PrefectClient", name: str) -> str:
    """Return FLOW/DEPLOYMENT for a bare name; end the command as Prefect does if there is none."""
    from prefect.cli._utilities import exit_with_error
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    named = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    found = await client.read_deployments(deployment_filter=named)
    names = sorted([f"{(await client.read_flow(one.flow_id)).name}/{name}" for one in found])
    if not names:
        exit_with_error(f"Deployment {name!r} not found!")
    if len(names) > 1:
        exit_with_error(f"Deployment name {name!r} fits several: {', '.join(names)}")
    return names[0]
