"""Export a model to a file for use elsewhere, with a model card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from flows.cli.kept_network import exported_file
from flows.settings import Settings
from model.exported import ExportedNetwork, describe_anew, open_exported
from model.licences import licence_note
from storage.database import results
from storage.database.handed_out import handed_out
from storage.database.session import transaction
from storage.database.tables import Model, Run
from storage.datasets.crop import CropRules
from storage.errors import InputError, unusable
from storage.files import replacing, write_atomically
from storage.reports.card_findings import card_of
from storage.reports.model_card import ModelCard, render_card
from storage.run_folder import EXPORTED
from storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """Which model was exported, and where to."""

    model_id: int
    file: Path
    card: Path


def export_model(wanted: str, file: Path, space: Workspace) -> ExportedModel:
    """Write a model, by its number, ``last`` or ``champion``, to ``file`` with a card beside it.

    Existing files are replaced. Raises InputError if the file cannot be written, or if there is no
    such model.
    """
    check_target(file)
    with transaction(space.database_url) as session:
        model = results.find_model(session, wanted)
        source = exported_file(handed_out(model), space)
        network = open_exported(source)
        card = card_for(session, model, file.name, network)
    written = ExportedModel(model.id, file, file.with_suffix(".md"))
    try:
        with replacing(file) as partial:
            describe_anew(source, partial, network.description | description_of(model, network))
        write_atomically(written.card, render_card(card).encode())
    except OSError as error:
        raise unusable(error, f"{file}: cannot be written ({error.strerror})") from error
    return written


def check_target(file: Path) -> None:
    """Raise InputError if no exported model can be written to ``file``."""
    if file.suffix != EXPORTED:
        raise InputError(f"{file}: name a file that ends in {EXPORTED}")
    if not file.parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}; make it first")
    if file.is_dir():
        raise InputError(f"{file}: is a folder; name a file")


def card_for(session: Session, model: Model, name: str, network: ExportedNetwork) -> ModelCard:
    """Return the card of a model that is exported to a file called ``name``."""
    settings = Settings.model_validate(session.get_one(Run, model.run_id).settings)
    licence = licence_note(settings.network_shape(), settings.weights)
    rules = CropRules(**network.description["crop"])
    return card_of(session, model, name, rules, network.embedding_size, licence)


def description_of(model: Model, network: ExportedNetwork) -> dict[str, Any]:
    """Return what a user of the network needs to know, besides its crop rules."""
    return {
        "model": model.id,
        "checkpoint_sha256": model.sha256,
        "embedding_size": network.embedding_size,
        "threshold": model.threshold,
        "calibration_slope": model.calibration_slope,
        "calibration_midpoint": model.calibration_midpoint,
        "accept_within": model.accept_within,
        "reject_beyond": model.reject_beyond,
    }
