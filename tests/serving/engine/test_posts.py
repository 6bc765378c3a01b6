from __future__ import annotations

import os

import pytest

from hotrow.serving.engine.posts import Post, posts_of


@pytest.mark.parametrize("post", [Post(), Post(3), Post(device="cuda:1")])
def test_a_post_survives_its_packet(post: Post) -> None:
    assert Post.unpack(post.pack()) == post


def test_workers_are_bound_where_they_are_as_many_as_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 2})
    assert posts_of(2) == [Post(2), Post(7)]
    assert posts_of(1) == [Post()]
    assert posts_of(3) == [Post()] * 3
