from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.serving.engine.arena import SMALLEST, Blocks, SharedMemory

SIZE = SMALLEST * 16


@given(st.lists(st.integers(0, SIZE + 1) | st.none(), max_size=60), st.randoms(use_true_random=False))
def test_blocks_never_overlap_and_all_comes_back(steps: list[int | None], random: object) -> None:
    blocks = Blocks(SIZE)
    owner = np.zeros(SIZE, dtype=np.int32)
    taken: dict[int, int] = {}
    for number, step in enumerate(steps, start=1):
        if step is None and taken:
            at = random.choice(sorted(taken))  # type: ignore[attr-defined]
            assert (owner[at : at + taken[at]] == owner[at]).all()
            owner[at : at + taken.pop(at)] = 0
            blocks.give_back(at)
        elif step is not None:
            found = blocks.take(step)
            if found is None:
                continue
            assert found + step <= SIZE
            assert (owner[found : found + step] == 0).all()
            owner[found : found + step] = number
            taken[found] = step
    for at in taken:
        blocks.give_back(at)
    assert blocks.taken == 0
    assert blocks.take(SIZE) == 0


def test_what_is_too_large_is_not_there() -> None:
    blocks = Blocks(SIZE)
    assert blocks.take(SIZE + 1) is None
    assert [blocks.take(SIZE // 2) for _ in range(3)] == [0, SIZE // 2, None]


def test_a_block_that_is_free_cannot_be_given_back() -> None:
    with pytest.raises(KeyError):
        Blocks(SIZE).give_back(0)


def test_sizes_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Blocks(SMALLEST * 3)


def test_memory_is_shared_by_its_descriptor() -> None:
    ours = SharedMemory.create(SIZE)
    theirs = SharedMemory(ours.descriptor)
    ours.bytes[7] = 9
    assert theirs.bytes[7] == 9
    assert theirs.bytes.sum() == 9
    ours.close()
