"""Worker processes that read SQL, because sqlglot can run for minutes or die by SIGSEGV on a legal statement.

One conversation a worker: texts go over in a pipe, one answer comes back for each. A text that takes longer than its
time costs its worker's life (SIGKILL: the compiled parser ignores everything else) and gets what the linear pass finds;
the rest of its batch goes on with a new worker. Texts that killed a worker are remembered and not tried again.

A worker imports no frame library, has a memory limit, reads no file, and dies with its parent.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from config.catalogue import Catalogue
    from parsers.sql.stage import Analysed
    from parsers.sql.structure import Structure

MEMORY_BYTES = 1 << 30
STACK_BYTES = 64 << 20
RECURSION_LIMIT = 5_000
START_SECONDS = 120.0  # a new worker imports sqlglot; on a machine that is busy beyond measure that takes a minute
DENIED = 10_000  # texts remembered because they killed a worker

Item = tuple[str, str]  # dialect, text


def work(connection: Connection) -> None:
    """A worker's life: answer (structure) to every (dialect, text, reason) until the pipe is closed."""
    _confine()
    from threading import Thread, stack_size

    stack_size(STACK_BYTES)  # deep nesting ends in an answer, not in a crash, as far as the stack reaches
    thread = Thread(target=_answer_quietly, args=(connection,))
    thread.start()
    thread.join()


def _confine() -> None:
    import resource

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold statements
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    sys.setrecursionlimit(RECURSION_LIMIT)


def _answer_quietly(connection: Connection) -> None:
    """A fault ends the worker without a word: its traceback could quote a statement. The parent sees that it is gone."""
    with contextlib.suppress(Exception):
        _answer(connection)


def _answer(connection: Connection) -> None:
    from parsers.sql.lexer import DIALECTS
    from parsers.sql.understand import lexically, structure

    for dialect in DIALECTS:  # loads the grammars before the clock of the first text runs
        structure("SELECT a FROM b WHERE c = 1", dialect)
    connection.send("ready")
    while True:
        try:
            items: list[tuple[str, str, str]] = connection.recv()
        except (EOFError, OSError):
            return
        for dialect, text, reason in items:
            try:
                answer = lexically(text, dialect, reason) if reason else structure(text, dialect)
            except MemoryError:
                answer = None
            try:
                connection.send(answer)
            except OSError:
                return


class Workers:
    """`count` processes at most; started when first needed. Not thread-safe: one thread asks."""

    def __init__(self, *, count: int = 1, timeout_ms: int = 500) -> None:
        self._context = multiprocessing.get_context("spawn")  # fork would copy threads and locks half way
        self._timeout = timeout_ms / 1000
        self._count = count
        self._idle: list[tuple[BaseProcess, Connection]] = []
        self._denied: OrderedDict[bytes, str] = OrderedDict()
        self.killed: dict[str, int] = {"killed": 0, "crashed": 0}
        self.answered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; may be called twice."""
        for process, connection in self._idle:
            connection.close()
            _end(process)
        self._idle.clear()

    def structures(self, items: Sequence[Item]) -> list[Structure]:
        """One for every (dialect, text), in order. Raises nothing for what is in them."""
        from parsers.sql.structure import Statement, Structure

        nothing = Structure((Statement(understood="none", reason="crashed"),))
        answers: list[Structure | None] = [None] * len(items)
        todo = [
            (index, dialect, text, self._denied.get(_digest(dialect, text), ""))
            for index, (dialect, text) in enumerate(items)
        ]
        while todo:
            process, connection = self._worker()
            done, fault = self._converse(process, connection, todo, answers)
            todo = todo[done:]
            if fault:
                index, dialect, text, before = todo.pop(0)
                self.killed[fault] += 1
                if before:  # even the linear pass did not come back: there is nothing left to try
                    answers[index] = nothing
                else:
                    self._deny(dialect, text, fault)
                    todo.insert(0, (index, dialect, text, fault))
            else:
                self._idle.append((process, connection))
        self.answered += len(items)
        return [answer if answer is not None else nothing for answer in answers]

    def analyser(self, catalogue: Catalogue) -> Callable[[Sequence[tuple[str, str, str]]], list[Analysed]]:
        """(dialect, sample text, shape) -> facts under a catalogue, as `parsers.sql.stage` wants it."""
        from parsers.sql.meaning import facts
        from parsers.sql.stage import Analysed

        def analyse(items: Sequence[tuple[str, str, str]]) -> list[Analysed]:
            made = self.structures([(dialect, text) for dialect, text, _ in items])
            return [Analysed(facts(one, catalogue), one.text_bound) for one in made]

        return analyse

    # -- processes -------------------------------------------------------------------------------------------------

    def _converse(
        self,
        process: BaseProcess,
        connection: Connection,
        todo: Sequence[tuple[int, str, str, str]],
        answers: list[Any],
    ) -> tuple[int, str]:
        """How many were answered, and what became of the worker: "" alive, "killed" or "crashed"."""
        for number, (index, dialect, text, reason) in enumerate(todo):
            try:
                if number % _AHEAD == 0:
                    connection.send([(d, t, r) for _, d, t, r in todo[number : number + _AHEAD]])
                if not self._heard(process, connection):
                    _end(process)
                    connection.close()
                    return number, "killed"
                answers[index] = connection.recv()
            except (EOFError, OSError):
                _end(process)
                connection.close()
                return number, "crashed"
            del dialect, text, reason
        return len(todo), ""

    def _heard(self, process: BaseProcess, connection: Connection) -> bool:
        """Whether an answer came before its time was up.

        Counted in CPU time of the worker, so that a busy machine kills no innocent text; in wall time only as a net.
        """
        started = _cpu_seconds(process.pid)
        for _ in range(_WALL_FACTOR):
            if connection.poll(self._timeout):
                return True
            if _cpu_seconds(process.pid) - started >= self._timeout:
                return connection.poll(0)
        return False

    def _worker(self) -> tuple[BaseProcess, Connection]:
        while self._idle:
            process, connection = self._idle.pop()
            if process.is_alive():
                return process, connection
            connection.close()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs,), name="sql-worker", daemon=True)
        process.start()
        theirs.close()
        if not ours.poll(START_SECONDS) or ours.recv() != "ready":
            _end(process)
            raise RuntimeError("a statement worker did not start")
        return process, ours

    def _deny(self, dialect: str, text: str, reason: str) -> None:
        self._denied[_digest(dialect, text)] = reason
        while len(self._denied) > DENIED:
            self._denied.popitem(last=False)


_WALL_FACTOR = 60  # a worker that gets a sixtieth of a core still has its time


def _cpu_seconds(pid: int | None) -> float:
    """User and system time of a process so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - one read, no object around it
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, IndexError, ValueError):
        return 0.0


_TICKS = os.sysconf("SC_CLK_TCK")
_AHEAD = 64  # texts handed over at once: fewer turns of the pipe


def _digest(dialect: str, text: str) -> bytes:
    return blake2b(f"{dialect}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16, salt=_SALT).digest()


_SALT = os.urandom(16)  # keyed: nobody can prepare texts that collide


def _end(process: BaseProcess) -> None:
    process.kill()
    process.join(5)
