"""The error that the model raises for what a user can fix."""


class ModelInputError(ValueError):
    """A setting, array or checkpoint cannot be used; the message names it and says what to do."""
