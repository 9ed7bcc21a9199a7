"""inotify only wakes: what is true is found by looking at the files."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class _Wake(FileSystemEventHandler):
    def __init__(self, event: threading.Event, moved: threading.Event) -> None:
        self._event = event
        self._moved = moved

    def on_any_event(self, event: FileSystemEvent) -> None:
        # opening and closing for reading is what we do ourselves: it must not wake us again
        if event.event_type in {"created", "moved", "deleted"}:
            self._moved.set()
        if event.event_type not in {"opened", "closed_no_write"}:
            self._event.set()


class Watcher:
    """Sets `event` when something happens in one of the directories, `moved` too when a file came, went or was renamed.

    `active` says whether the kernel wakes us; where that cannot be had, nothing is ever set. Polling goes on either way, so falling back is silent and loses nothing.
    """

    def __init__(
        self, directories: Iterable[str], event: threading.Event, moved: threading.Event | None = None
    ) -> None:
        self._directories = sorted(set(directories))
        self._event = event
        self._moved = moved or threading.Event()
        self._observer: Any = None
        self.active = False

    def start(self) -> None:
        try:
            observer = Observer()
            for directory in self._directories:
                if Path(directory).is_dir():
                    observer.schedule(_Wake(self._event, self._moved), directory, recursive=False)
            observer.start()
        except (OSError, RuntimeError):  # no inotify here, or its watches are used up
            return
        self._observer = observer
        self.active = True

    def stop(self) -> None:
        observer, self._observer = self._observer, None
        self.active = False
        if observer is not None:
            with suppress(RuntimeError):
                observer.stop()
                observer.join()
