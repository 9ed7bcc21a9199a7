"""Sums and last values of runs are those of a loop over the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parsers.samba_runs import Runs, Sorted

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-(10**18), 10**18) | st.integers(-3, 3), st.booleans()), max_size=40
)


@given(ROWS)
def test_runs_add_up_like_a_loop(rows: list[tuple[int, int, bool]]) -> None:
    keys, values, marked = (np.array(list(column)) for column in (zip(*rows, strict=True) if rows else ((), (), ())))
    values, marked = values.astype(np.int64) % (10**12), marked.astype(np.bool_)
    by_key = Sorted(keys.astype(np.int64))
    runs = by_key.runs
    found = (
        by_key.back(runs.total(by_key.of(values))).tolist(),
        by_key.back(runs.lowest(by_key.of(values))).tolist(),
        by_key.back(runs.before(by_key.of(marked))).tolist(),
        by_key.rows(runs.latest(by_key.of(marked))).tolist(),
        by_key.rows(runs.first(by_key.of(marked))).tolist(),
    )
    expected: tuple[list[object], ...] = ([], [], [], [], [])
    for row, key in enumerate(keys.tolist()):
        same = [at for at in range(len(rows)) if keys[at] == key]
        past = [at for at in same if at <= row]
        hits = [at for at in same if marked[at]]
        expected[0].append(sum(values[past].tolist()))
        expected[1].append(min(values[past].tolist()))
        expected[2].append(len(past) > 1 and bool(marked[past[-2]]))
        expected[3].append(max((at for at in hits if at <= row), default=-1))
        expected[4].append(hits[0] if hits else -1)
    assert found == expected


def test_runs_of_numbers_far_apart_keep_their_least() -> None:
    opens = np.array([True, False, True, False])
    values = np.array([1 << 61, -(1 << 61), 5, 7])
    assert Runs(opens).lowest(values).tolist() == [1 << 61, -(1 << 61), 5, 5]
