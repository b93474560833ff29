"""A run as its flow goes through it."""

from dataclasses import dataclass

from model.compute import Compute, devices_of
from storage.run_folder import RunFolder
from storage.workspace import Workspace
from tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is going on: what it is made with, and where it leaves things."""

    id: int
    folder: RunFolder
    source: str
    preset: str
    settings: Settings
    compute: Compute
    space: Workspace
    model_id: int | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that its network is trained on."""
        return devices_of(self.compute.device, self.settings.devices)

    @property
    def described(self) -> str:
        """What the run works on: its source, its preset, its model if it uses one, its number."""
        model = "" if self.model_id is None else f", model {self.model_id}"
        return f"{self.source} ({self.preset}{model}), run {self.id}"
