"""A kept model's network as it is handed out: exported, and run without torch."""

from dataclasses import asdict
from pathlib import Path

from sqlalchemy.orm import Session

from model.exported import ExportedNetwork, open_exported
from storage.database.tables import Model, Run
from storage.errors import InputError
from storage.files import replacing
from storage.run_folder import exported_beside
from storage.workspace import Workspace


def kept_network(session: Session, model: Model, space: Workspace) -> ExportedNetwork:
    """Open the exported network of a model. Raises InputError where its files are gone."""
    checkpoint = space.home / model.path
    exported = exported_beside(checkpoint)
    if not exported.is_file():
        if not checkpoint.is_file():
            raise InputError(
                f"{checkpoint}: the checkpoint of model {model.id} is gone; put it back or name"
                " another model"
            )
        _export(checkpoint, exported, session.get_one(Run, model.run_id).settings)
    return open_exported(exported)


def _export(checkpoint: Path, target: Path, settings: dict[str, object]) -> None:
    """Export a model of an earlier version, which kept its checkpoint alone."""
    from flows.settings import Settings
    from model.checkpoint import load_checkpoint  # takes torch along, this once
    from model.export import export_network

    rules = Settings.model_validate(settings).crop_rules()
    with replacing(target) as partial:
        export_network(load_checkpoint(checkpoint).network, partial, {"crop": asdict(rules)})
