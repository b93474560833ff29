"""The one error that the mathematics raises for what a user can put right."""


class ModelInputError(ValueError):
    """A setting, array or checkpoint cannot be used; the message names it and says what to do."""
