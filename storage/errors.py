"""The one error that storage raises for what a user can put right."""


class InputError(ValueError):
    """Something given by the user cannot be used; the message names the file, row or setting."""
