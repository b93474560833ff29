"""What the command line tells apart: a mistake of the user's, and a failure of ours."""

from model.errors import ModelInputError
from storage.errors import InputError


class SettingsError(ValueError):
    """A setting or preset is unknown or out of bounds; the message begins with its name."""


USER_MISTAKES = (InputError, ModelInputError, SettingsError)
