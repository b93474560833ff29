"""The errors that storage raises for what a user can put right, and reasons in one line."""


class InputError(ValueError):
    """Something given by the user cannot be used; the message names the file, row or setting."""


class UnavailableError(InputError):
    """Something cannot be used now that can be there a moment later: a server, a locked file."""


def reason_of(error: InputError | OSError) -> str:
    """The error in one line; of an error of the system only what happened, not where."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
