"""The errors that storage raises for what a user can put right, and reasons in one line."""

import errno


class InputError(ValueError):
    """Something given by the user cannot be used; the message names the file, row or setting."""


class UnavailableError(InputError):
    """Something cannot be used now that can be there a moment later: a server, a locked file."""


def can_pass(error: BaseException) -> bool:
    """Tell a fault that can pass from bad input, full disks and bugs."""
    if isinstance(error, OSError):
        return error.errno in _PASSING
    return isinstance(error, UnavailableError)


# What a file system far away says of itself for a while; a full disk or a missing file stay so.
_PASSING = frozenset(
    (
        errno.EAGAIN,
        errno.EBUSY,
        errno.EIO,
        errno.EINTR,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENOLCK,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    )
)


def unusable(error: Exception, text: str) -> InputError:
    """The error to raise instead, with ``text``, where something of the user's cannot be used."""
    return UnavailableError(text) if can_pass(error) else InputError(text)


def reason_of(error: InputError | OSError) -> str:
    """The error in one line, for a list of what cannot be used.

    Of an error of the system only what happened, not where. An error that can pass says nothing
    about what was read, so it is raised again.
    """
    if can_pass(error):
        raise error
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
