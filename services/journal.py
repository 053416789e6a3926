"""The durable record of message calls: one writer thread per process takes what is queued and commits it once.

Signing on the event loop must not wait for a disk, and a commit per signature would: twenty signatures that arrive
together share one commit. An answer leaves only after its record is durable.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from db.engine import Database, Write
from formats.errors import NotReady
from services.errors import Overloaded

BATCH: Final = 64
WAITING: Final = 4096

Change = Callable[[Write], object]
_Entry = tuple[Change, "Future[None]"]


class Journal:
    """Takes changes from any thread and commits them in the order in which they came."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.Queue[_Entry | None] = queue.Queue(maxsize=WAITING)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, change: Change) -> Future[None]:
        """Queue a change; the future is done once it is durable, or carries why it is not.

        Overloaded when full, and after the end. Who no longer waits may cancel the future: then, if its turn has not
        come yet, nothing is written.
        """
        future: Future[None] = Future()
        if self._ending:
            raise Overloaded("no more records are taken before the end")
        try:
            self._queue.put_nowait((change, future))
        except queue.Full:
            raise Overloaded("too many records wait to be written") from None
        return future

    def close(self) -> None:
        """Write what is queued, then end the thread; taking no more from now on."""
        self._ending = True
        self._queue.put(None)
        self._thread.join()
        # Whoever came between the last look and the end must not wait for ever.
        while not self._queue.empty():
            entry = self._queue.get()
            if entry is not None and entry[1].set_running_or_notify_cancel():
                _tell(entry[1], Overloaded("no more records are taken before the end"))

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._next_batch()
            # From here on nobody can cancel, so that the thread can tell everybody how it went.
            self._commit([entry for entry in batch if entry[1].set_running_or_notify_cancel()])

    def _next_batch(self) -> tuple[list[_Entry], bool]:
        """What is queued, up to a batch, waiting for the first; and whether it is the last."""
        batch: list[_Entry] = []
        entry = self._queue.get()
        while entry is not None:
            batch.append(entry)
            if len(batch) == BATCH:
                return batch, False
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Entry]) -> None:
        """Commit all at once; if that fails, one by one, so that a bad entry harms nobody but itself.

        A database that cannot write at all would let each wait in vain, one after the other.
        """
        failure = self._try(batch)
        if failure is None or len(batch) == 1 or isinstance(failure, NotReady):
            for _, future in batch:
                _tell(future, failure)
        else:
            for entry in batch:
                self._commit([entry])

    def _try(self, batch: list[_Entry]) -> BaseException | None:
        if not batch:
            return None
        try:
            with self._database.write() as write:
                for change, _ in batch:
                    change(write)
        except BaseException as failure:  # noqa: BLE001  # it goes to whoever waits; the thread must live on
            return failure
        return None


def _tell(future: Future[None], failure: BaseException | None) -> None:
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
