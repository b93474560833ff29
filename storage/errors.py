"""Errors that a user can fix, and reasons in one line."""

import errno


class InputError(ValueError):
    """The user's input cannot be used; the message names the file, row or setting."""


class UnavailableError(InputError):
    """Something is unavailable for the moment: a server, a locked file."""


def can_pass(error: BaseException) -> bool:
    """Return whether a fault may pass, unlike bad input, a full disk or a bug."""
    if isinstance(error, OSError):
        return error.errno in _PASSING
    return isinstance(error, UnavailableError)


def is_full(error: BaseException) -> bool:
    """Return whether the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


# What remote file systems report for a while. Full disks and missing files stay so.
_PASSING = frozenset((
    errno.EAGAIN, errno.EBUSY, errno.EIO, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT,
    errno.ENOLCK, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH,
))  # fmt: skip


def unusable(error: Exception, text: str) -> InputError:
    """Return the error to raise, with ``text``, when the user's input cannot be used."""
    return UnavailableError(text) if can_pass(error) else InputError(text)


def reason_of(error: InputError | OSError) -> str:
    """Return an error in one line, without the path, for a list of what cannot be used.

    An error that may pass says nothing about the input, so it is raised again.
    """
    if can_pass(error):
        raise error
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())
