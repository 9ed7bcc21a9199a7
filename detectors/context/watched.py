"""What the site watches: canaries (whatever touches them is not honest work) and VIPs (told unless they are treated).

Patients are known by their tokens alone, each as a key of its kind: a receipt that has the number of a patient is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from config.register import Register
from detectors.context.scope import objects_pattern
from parsers.events import TEXTS

CANARY, VIP = "canary", "vip"
NOTHING = pl.lit(None, TEXTS).alias("watched")
# What the matching reads of an event, besides `subject` and `job`.
COLUMNS = ("key_kinds", "patient_keys", "reads", "writes", "path", "path2", "action")


@dataclass(frozen=True, slots=True)
class Watch:
    """One list. `tokens`: by kind of key. `objects`: tables or paths. `may_touch`: ids or departments of the register."""

    name: str
    tokens: Mapping[str, Collection[str]] = field(default_factory=dict)
    objects: tuple[str, ...] = ()
    may_touch: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.objects and not any(self.tokens.values())


class Watching:
    """The lists of a site, ready to be held against events."""

    def __init__(self, watches: Iterable[Watch], register: Register, entries: Mapping[str, Collection[int]]) -> None:
        """`entries`: numbers of the subjects behind an id or a department of the register."""
        self._watches = [watch for watch in watches if not watch.empty]
        self._jobs = {
            watch.name: [name for name in watch.may_touch if name in register.jobs] for watch in self._watches
        }
        self._subjects = {
            watch.name: sorted({number for name in watch.may_touch for number in entries.get(name, ())})
            for watch in self._watches
        }
        self._patterns = {watch.name: objects_pattern(watch.objects) for watch in self._watches if watch.objects}

    def marks(self, rows: pl.DataFrame) -> pl.Expr:
        """`watched`, a row each; null where the site watches nothing. `rows` has COLUMNS, `row`, `subject` and `job`."""
        if not self._watches:
            return NOTHING
        keys = self._keys(rows)
        # the lists in their order, so that equal events have equal marks
        names = pl.concat_list(pl.when(self._touches(watch, keys)).then(pl.lit(watch.name)) for watch in self._watches)
        return names.list.drop_nulls().alias("watched")

    def _keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        """(row, kind, token) of the events that name patients."""
        named = rows.filter(pl.col("patient_keys").list.len() > 0).select("row", "key_kinds", "patient_keys")
        return named.explode("patient_keys").explode("key_kinds").rename({"key_kinds": "kind", "patient_keys": "token"})

    def _touches(self, watch: Watch, keys: pl.DataFrame) -> pl.Expr:
        touched = pl.lit(value=False)
        listed = [(kind, token) for kind, tokens in watch.tokens.items() for token in tokens]
        if listed and not keys.is_empty():
            wanted = pl.DataFrame(listed, schema={"kind": pl.String, "token": pl.String}, orient="row")
            hits = keys.join(wanted, on=["kind", "token"], how="semi")["row"].unique()
            touched = touched | pl.col("row").is_in(hits.implode())
        if (pattern := self._patterns.get(watch.name)) is not None:
            tables = pl.concat_list(pl.col("reads").fill_null([]), pl.col("writes").fill_null([]))
            named = [tables.list.eval(pl.element().str.contains(pattern)).list.any()]
            named += [pl.col(path).str.contains(pattern) for path in ("path", "path2")]
            touched = touched | pl.any_horizontal(one.fill_null(value=False) for one in named)
        rightly = pl.col("subject").is_in(self._subjects[watch.name]) | pl.col("job").is_in(self._jobs[watch.name])
        return touched & ~rightly.fill_null(value=False)
