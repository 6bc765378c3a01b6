from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hotrow.config import from_mapping, override, parse_settings, to_mapping
from hotrow.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    kind: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    widths: tuple[int, ...] = (4, 2)


@dataclass(frozen=True, kw_only=True)
class Outer:
    steps: int = 10
    limit: int | None = None
    shuffle: bool = True
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)


def test_round_trips_through_json_types() -> None:
    config = Outer(
        steps=3, inner=Inner(kind="adam", widths=(8,)), many=(Inner(lr=0.5),), named={"a": Inner()}
    )
    assert from_mapping(Outer, to_mapping(config)) == config


def test_defaults_of_what_was_read_are_written() -> None:
    assert to_mapping(from_mapping(Outer, {"inner": {}})) == to_mapping(Outer())


def test_overrides_nested_fields_from_text() -> None:
    settings = parse_settings(
        ["steps=7", "inner.lr = 0.25", "inner.widths=[16,8]", "shuffle=false", "limit=9"]
    )
    config = override(Outer(), settings)
    assert config == Outer(steps=7, limit=9, shuffle=False, inner=Inner(lr=0.25, widths=(16, 8)))
    assert override(config, {"limit": "none"}).limit is None


@pytest.mark.parametrize(
    ("setting", "field_name", "expected"),
    [
        ("stepz=1", "stepz", "steps, or another of the fields steps, limit, shuffle, inner.kind"),
        ("lr=1", "lr", "inner.lr, or another of the fields"),
        ("outer.lr=1", "outer.lr", "inner.lr, or another of the fields"),
        ("inner.knd=1", "inner.knd", "inner.kind, or another of the fields"),
        ("kinds=1", "kinds", "inner.kind, or another of the fields"),
        ("zzz=1", "zzz", "one of the fields steps, limit"),
        ("steps.more=1", "steps.more", "of the fields"),
        ("steps=many", "steps", "int"),
        ("inner.kind=rmsprop", "inner.kind", "sgd or adam"),
        ("inner.widths=a,b", "inner.widths", "int"),
        (f"steps={2**63}", "steps", "a whole number of 64 bits"),
        (f"limit={-(2**63) - 1}", "limit", "a whole number of 64 bits"),
    ],
)
def test_a_bad_override_names_field_value_and_expectation(
    setting: str, field_name: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Outer(), parse_settings([setting]))
    assert caught.value.field.startswith(field_name)
    assert expected in caught.value.expected
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"unknown": 1}, "file.json.unknown"),
        ({"steps": 1 << 63}, "file.json.steps: got 9223372036854775808, expected a whole number of 64 bits"),
        ({"inner": {"unknown": 1}}, "file.json.inner.unknown"),
        ({"steps": "3"}, "file.json.steps: got '3', expected int"),
        ({"many": [{"kind": "x"}]}, "sgd or adam"),
        ({"many": [{}, {"unknown": 1}]}, "file.json.many.unknown"),
        ({"named": {"a": {"unknown": 1}}}, "file.json.named.unknown"),
    ],
)
def test_reading_names_the_field(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, mapping, where="file.json")
    assert message in str(caught.value)


def test_the_nearest_field_is_suggested() -> None:
    with pytest.raises(ConfigError, match=r"one of the fields .*named \(did you mean steps\?\)"):
        from_mapping(Outer, {"stepz": 1})
    with pytest.raises(ConfigError, match=r"expected inner\.lr, or another of the fields"):
        override(Outer(), {"inner.l": "1"})
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, {"wholly_other": 1})
    assert "did you mean" not in str(caught.value)


@dataclass(frozen=True, kw_only=True)
class Strict:
    kind: Literal["a", "b"]
    count: int
    maybe: Literal["x", ","] | None = None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"count": 1}, "file: kind: missing, expected a or b"),
        ({"kind": "a"}, "file: count: missing, expected a value"),
        ({"kind": "a", "count": 1, "maybe": "y"}, "file: maybe: got 'y', expected x or ','"),
        ({"kind": "a", "count": "1"}, "file: count: got '1', expected int"),
    ],
)
def test_fields_without_a_default_and_optional_ones(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Strict, mapping, where="file: ")
    assert str(caught.value) == message


def test_a_setting_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match="key=value"):
        parse_settings(["batch_size"])
