from __future__ import annotations

import itertools
from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hotrow.serving.engine.queue import Waiting, WaitingLine, cut


@given(rows=st.integers(0, 5000), batch_size=st.integers(1, 700))
def test_cuts_cover_all_rows_with_equal_parts(rows: int, batch_size: int) -> None:
    parts = list(cut(rows, batch_size))
    assert parts[0][0] == 0
    assert parts[-1][1] == rows
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    sizes = [stop - start for start, stop in parts]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == max(-(-rows // batch_size), 1)


class Line(RuleBasedStateMachine):
    """Every row is begun once, in order of arrival, unless its query is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.line = WaitingLine()
        self.queries: list[Waiting] = []
        self.running: list[tuple[Waiting, tuple[int, int]]] = []
        self.done: dict[Waiting, set[int]] = {}

    @rule(rows=st.integers(1, 9), batch=st.integers(1, 4))
    def arrive(self, rows: int, batch: int) -> None:
        query = Waiting(rows, decoded=True, parts=cut(rows, batch))
        self.queries.append(query)
        self.done[query] = set()
        self.line.add(query)

    @rule()
    def begin(self) -> None:
        found = self.line.take()
        expected = [query for query in self.queries if query.parts]
        if found is None:
            assert not expected
            return
        assert not found[0].dropped
        self.running.append(found)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        query, (start, stop) = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        query.running -= 1
        assert self.done[query].isdisjoint(range(start, stop))
        self.done[query].update(range(start, stop))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.line.put_back(*self.running.pop(data.draw(st.integers(0, len(self.running) - 1))))

    @precondition(lambda self: self.queries)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.line.drop(data.draw(st.sampled_from(self.queries)))

    @invariant()
    def rows_are_accounted_for(self) -> None:
        left = [sum(stop - start for start, stop in query.parts) for query in self.queries]
        assert self.line.rows == sum(left)
        assert len(self.line) == sum(bool(query.parts) for query in self.queries)
        for query, rows in zip(self.queries, left, strict=True):
            running = sum(stop - start for owner, (start, stop) in self.running if owner is query)
            if not query.dropped:
                assert rows + running + len(self.done[query]) == query.rows
            assert query.finished == (rows == running == 0)


TestLine = Line.TestCase


def test_work_begins_in_order_of_arrival() -> None:
    line = WaitingLine()
    first, second = (Waiting(4, decoded=True, parts=cut(4, 2)) for _ in range(2))
    line.add(first)
    line.add(second)
    order = [line.take() for _ in range(5)]
    assert order == [(first, (0, 2)), (first, (2, 4)), (second, (0, 2)), (second, (2, 4)), None]
    line.put_back(second, (0, 2))  # of the work of a dead worker, the oldest is put back last
    line.put_back(first, (2, 4))
    assert [line.take() for _ in range(2)] == [(first, (2, 4)), (second, (0, 2))]
    line.add(Waiting(1, decoded=True, parts=deque([(0, 1)])))
    decoded = Waiting(1, decoded=True, parts=deque([(0, 1)]))
    line.add(decoded, first=True)
    assert line.take() == (decoded, (0, 1))
