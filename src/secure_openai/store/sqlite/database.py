"""One SQLite file: one writer with group commit, readers beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from secure_openai.errors import RequestError, StartError, StorageFull, StoreError
from secure_openai.store.sqlite.connection import connect, result_code, translated
from secure_openai.store.sqlite.schema import migrate

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

SURROGATE = "The text holds half of a surrogate pair, which UTF-8 cannot store: leave it out."
GROUP = 256
"""How many writes share one commit, and so one wait for the disk."""

READERS = 2

NOT_A_DATABASE = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR})
"""Result codes while opening that speak of the file's content and not of the machine.

Source: SQLite, "Result and Error Codes".
"""


class Database:
    """An open database file.

    Writes run on one thread, in the order of the calls; what has queued up meanwhile shares a
    commit. Each has a savepoint of its own: one that fails takes nothing with it. If the commit
    itself fails, each is tried again alone, so work must be repeatable: it changes nothing but
    the database. A write whose caller is cancelled still happens wholly or not at all.

    A commit waits for the disk unless everything in it can do without (SQLite, "PRAGMA
    synchronous", of a file with a write-ahead log): the next one that waits takes it along.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._writing = connect(path)
        self._waits = True
        try:
            migrate(self._writing)
            self._direct = _at_once(path)
        except sqlite3.Error as error:
            self._writing.close()
            raise translated(error) from error
        # A daemon: a process that ends without aclose() must end; nothing that it was told is
        # stored can be lost, since that was committed before it was told.
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)
        self._writer.start()
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open the file, making it and its folder, both for their owner only.

        Raises:
            StartError: The folder cannot be made private or written, or the file is no database.
        """
        return await asyncio.to_thread(cls._open, path)

    @classmethod
    def _open(cls, path: Path) -> Database:
        private_folder(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, stat.S_IRUSR | stat.S_IWUSR)
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
            os.close(descriptor)
            return cls(path)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror}.") from None
        except StoreError as error:
            raise StartError(_start_problem(path, error)) from None

    async def write(self, work: Work[T], *, waits: bool = True) -> T:
        """Run `work` in a transaction; when this returns, what it wrote survives the process.

        Args:
            work: What to do.
            waits: Whether to wait for the disk, so that it survives a power cut too.

        Raises:
            StorageFull: There is no room.
            StoreError: The database cannot be written.
        """
        if self._closed:
            raise StoreError("The store is closed.")
        item = _Write(work, asyncio.get_running_loop(), waits=waits)
        self._writes.put(item)
        result: T = await item.future
        return result

    def read_at_once(self, work: Work[T]) -> T:
        """Run short work on this thread, on a connection that cannot write and waits for nobody.

        Each of its statements reads what is written by then.

        Raises:
            StoreError: The database cannot be read.
        """
        if self._closed:
            raise StoreError("The store is closed.")
        try:
            return work(self._direct)
        except sqlite3.Error as error:
            raise translated(error) from error

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a connection that cannot write.

        Raises:
            StoreError: The database cannot be read.
        """
        if self._closed:
            raise StoreError("The store is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._reading.append(connection)
        try:
            # One snapshot for everything that the work reads.
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise translated(error) from error
        except UnicodeEncodeError:
            raise RequestError(SURROGATE) from None

    async def backup(self, target: Path) -> None:
        """Copy the database as it stands, while it is in use (SQLite's online backup).

        Raises:
            StoreError: The copy cannot be written.
        """
        await asyncio.to_thread(backup, self.path, target)

    async def aclose(self) -> None:
        """Write what is queued, then close; closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        self._direct.close()
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        for connection in self._reading:
            connection.close()

    def _write_loop(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if not self._written(group):
                # SQLite gave up the whole transaction (a full disk, a commit that failed): each
                # goes alone, so that only those fail which must.
                for item in group:
                    self._written([item])
        self._writing.close()

    def _written(self, group: list[_Write]) -> bool:
        try:
            self._write_group(group)
        except BaseException as error:
            # Where someone else holds the file, waiting again for each would take minutes.
            if len(group) > 1 and result_code(error) != sqlite3.SQLITE_BUSY:
                return False
            for item in group:
                item.fail(translated(error) if isinstance(error, sqlite3.Error) else error)
            _tell(group)
        return True

    def _next_group(self) -> tuple[list[_Write], bool]:
        group: list[_Write] = []
        item = self._writes.get()
        while True:
            if item is None:
                return group, False
            group.append(item)
            if len(group) == GROUP:
                return group, True
            try:
                item = self._writes.get_nowait()
            except queue.Empty:
                return group, True

    def _write_group(self, group: list[_Write]) -> None:
        if not group:
            return
        connection = self._writing
        waits = any(item.waits for item in group)
        if waits is not self._waits:
            connection.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
            self._waits = waits
        # IMMEDIATE: a transaction that reads first and writes later could find the file changed.
        connection.execute("BEGIN IMMEDIATE")
        try:
            for item in group:
                item.run(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        _tell(group)


def _at_once(path: Path) -> sqlite3.Connection:
    """Return a connection that waits for nobody."""
    connection = connect(path)
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute("PRAGMA query_only = ON")
    return connection


class _Write:
    """A queued write and whoever waits for it."""

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop, *, waits: bool) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.loop = loop
        self.waits = waits
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        self._error = None
        connection.execute("SAVEPOINT one")
        try:
            self._result = self._work(connection)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not connection.in_transaction:
                # SQLite has rolled the whole group back, as it may when the disk is full.
                raise
            connection.execute("ROLLBACK TO one")
            if isinstance(error, sqlite3.Error):
                self._error = translated(error)
                self._error.__cause__ = error
            elif isinstance(error, UnicodeEncodeError):
                self._error = RequestError(SURROGATE)
            else:
                self._error = error
        connection.execute("RELEASE one")

    def fail(self, error: BaseException) -> None:
        self._error = error

    def resolve(self) -> None:
        if self.future.done():
            return
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._result)


def _tell(group: list[_Write]) -> None:
    """Let those who wait go on: one call for each loop, since each wakes it."""
    for loop in {item.loop for item in group}:
        mine = [item for item in group if item.loop is loop]
        # A closed loop: whoever waited is gone, and the writer goes on for the others.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(group: list[_Write]) -> None:
    for item in group:
        item.resolve()


def backup(source: Path, target: Path) -> None:
    """Copy a database that may be in use; the copy is readable by its owner only.

    Raises:
        StoreError: The copy cannot be written, or exists already; nothing is left of it.
    """
    reading = connect(source)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(os.open(target, flags, stat.S_IRUSR | stat.S_IWUSR))
        with contextlib.closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}.") from None
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise translated(error) from error
    finally:
        reading.close()


def private_folder(folder: Path) -> None:
    """Make a folder for its owner only, or check that it is one.

    Raises:
        StartError: It cannot be made, made private, or written.
    """
    try:
        folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        folder.chmod(stat.S_IRWXU)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The data folder {folder} cannot be used: {error.strerror}. "
            "Free some room or name another one with --data."
        ) from None


def _start_problem(path: Path, error: StoreError) -> str:
    if isinstance(error, StorageFull):
        return f"{path} cannot be written: the disk is full. Free some room."
    if result_code(error.__cause__) in NOT_A_DATABASE:
        return f"{path} is not a database of this program: move it away, or name another --data."
    return (
        f"{path} cannot be opened: another program holds it, or its disk fails. "
        "Close that program, or name another --data."
    )
