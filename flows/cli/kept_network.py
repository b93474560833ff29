"""A model's exported network, which runs without torch."""

from collections.abc import Sequence
from pathlib import Path

from model.exported import ExportedNetwork, open_exported
from storage.database.handed_out import HandedOut
from storage.datasets.crop import CropRules
from storage.datasets.loose_crops import LooseCrops, crop_loose
from storage.errors import InputError
from storage.files import replacing
from storage.run_folder import exported_beside, fetch_network
from storage.workspace import Workspace


def kept_network(model: HandedOut, space: Workspace) -> ExportedNetwork:
    """Open the exported network of a model. Raises InputError if its files are gone."""
    return open_exported(exported_file(model, space))


def crop_for(network: ExportedNetwork, images: Sequence[Path]) -> LooseCrops:
    """Crop pictures as a network wants them. Raises InputError for the first that is unusable."""
    for path in images:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a file")
    files, rules = [(str(path), str(path)) for path in images], network.description["crop"]
    crops = crop_loose(
        files, lambda file: Path(file).read_bytes(), CropRules(**rules), lambda done, total: None
    )
    for name, reason in crops.rejected:
        raise InputError(f"{name}: {reason}")
    return crops


def exported_file(model: HandedOut, space: Workspace) -> Path:
    """Return the file of a model's exported network. Raises InputError if its files are gone."""
    exported = exported_beside(fetch_network(space.home / model.path))
    if not exported.is_file():
        _export(space.checkpoint(model.id, model.path), exported, model.run_id, space)
    return exported


def _export(checkpoint: Path, target: Path, run_id: int, space: Workspace) -> None:
    """Export a model of an earlier version, which has a checkpoint only."""
    from flows.settings import Settings
    from model.checkpoint import load_checkpoint  # takes torch along, this once
    from model.export import export_network
    from storage.database.session import transaction
    from storage.database.tables import Run

    with transaction(space.database_url) as session:
        settings = session.get_one(Run, run_id).settings
    rules = Settings.model_validate(settings).crop_rules()
    with replacing(target) as partial:
        export_network(load_checkpoint(checkpoint).network, partial, {"crop": rules.of_one_image()})
