"""Leases: locks in the results database, where the workspace's files cannot be locked.

A lease is renewed for as long as it is held. If its process dies, it runs out.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.base import UtcDateTime
from storage.database.session import transaction
from storage.database.tables import Lease
from storage.errors import InputError

LASTS = timedelta(seconds=30)
RENEWED_EVERY = 5.0  # seconds
ASKED_EVERY = 0.5  # seconds


@contextmanager
def try_lease(url: str, name: str, is_patient: bool = False) -> Iterator[bool]:
    """Hold the lease during the block if it is free; yields whether it was.

    The lease of a dead process is free after `LASTS`. Patience means to wait until the lease is
    renewed, which shows that its process lives, or has run out.
    """
    wanted = _Wanted(url, name)
    refused = wanted.taken_by_other()
    while is_patient and refused and refused == (refused := wanted.taken_by_other()):
        time.sleep(ASKED_EVERY)
    if refused:
        yield False
        return
    with wanted.renewed():
        yield True


@contextmanager
def wait_lease(url: str, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Wait for the lease and hold it during the block; calls `waiting` once if it must wait."""
    wanted = _Wanted(url, name)
    if wanted.taken_by_other():
        waiting()
        while wanted.taken_by_other():
            time.sleep(ASKED_EVERY)
    with wanted.renewed():
        yield


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A lease that somebody wants, by a name that nobody else has."""

    url: str
    name: str
    holder: str = field(default_factory=lambda: uuid4().hex)

    def taken_by_other(self) -> datetime | None:
        """Take the lease, or renew it. If another holds it, return when that one renewed it."""
        try:
            with transaction(self.url) as session:
                now = _now(session)
                found = session.scalar(select(Lease).filter_by(name=self.name).with_for_update())
                if found is None:
                    session.add(Lease(name=self.name, holder=self.holder, renewed_at=now))
                elif found.holder == self.holder or now - found.renewed_at > LASTS:
                    found.holder, found.renewed_at = self.holder, now
                else:
                    return found.renewed_at
        except IntegrityError:  # another took it in the same moment
            return self.taken_by_other()
        return None

    @contextmanager
    def renewed(self) -> Iterator[None]:
        ended = Event()
        thread = Thread(target=self._renew_until, args=(ended,), name=self.name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(InputError), transaction(self.url) as session:  # else it runs out
                session.execute(delete(Lease).filter_by(name=self.name, holder=self.holder))

    def _renew_until(self, ended: Event) -> None:
        while not ended.wait(RENEWED_EVERY):
            with suppress(InputError):  # the database may be back the next time
                if self.taken_by_other():
                    logging.getLogger(__name__).error(
                        "%s: another process took over while the database was out of reach",
                        self.name,
                    )
                    os.kill(os.getpid(), signal.SIGTERM)
                    return


def _now(session: Session) -> datetime:
    return session.scalars(select(func.current_timestamp(type_=UtcDateTime()))).one()
