from __future__ import annotations

import pytest

from hotrow.errors import RequestError
from hotrow.serving.held import Held


def test_what_is_given_back_may_be_taken_again() -> None:
    held = Held(10)
    held.take(6)
    held.take(4)
    with pytest.raises(RequestError) as caught:
        held.take(1)
    assert caught.value.status == 503
    assert held.bytes == 10
    held.give_back(4)
    held.take(3)
    assert held.bytes == 9
