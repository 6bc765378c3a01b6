"""Frozen configuration dataclasses: from JSON, to JSON, and with ``key=value`` overrides.

Every configurable class has one frozen dataclass beside it; this module is the only code that
reads or overrides them. Type checks are msgspec's; messages name the dotted field.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from hotrow.errors import ConfigError

Config = TypeVar("Config")

_MESSAGE = re.compile(r"(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_ABSENT = re.compile("Object missing required field `(.*)`")


def to_mapping(config: object) -> dict[str, Any]:
    """Return a configuration as plain JSON types."""
    # msgspec leaves out the fields of a dataclass that it has made itself and that have their defaults.
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = dataclasses.asdict(config)
    mapping: dict[str, Any] = msgspec.to_builtins(config)
    return mapping


def from_mapping(cls: type[Config], mapping: Mapping[str, Any], *, where: str = "") -> Config:
    """Build a configuration from JSON types; unknown, missing and mistyped fields are errors.

    Args:
        cls: the frozen dataclass to build.
        mapping: its fields as plain JSON types.
        where: prefix of field names in messages, e.g. ``"runs/a/config.json: model"``.

    Raises:
        ConfigError: names the field, what was found and what was expected.
    """
    _refuse_unknown_fields(cls, mapping, where)
    return _convert(cls, mapping, where, strict=True)


def override(config: Config, settings: Mapping[str, str], *, where: str = "") -> Config:
    """Return ``config`` with dotted fields replaced by values given as text.

    >>> override(TrainConfig(), {"batch_size": "4096", "tables.lr": "0.02"})

    Raises:
        ConfigError: an unknown field, or a value of the wrong type.
    """
    mapping = to_mapping(config)
    for key, text in settings.items():
        *parents, leaf = key.split(".")
        node = mapping
        for parent in parents:
            node = node.get(parent, {})
            if not isinstance(node, dict):
                node = {}
        if leaf not in node:
            raise ConfigError(_join(where, key), text, _known(key, leaves(mapping), where))
        node[leaf] = _parse(text, node[leaf])
    return _convert(type(config), mapping, where, strict=False)


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """Split ``["key=value", ...]`` as given to ``--set``.

    Raises:
        ConfigError: an entry without ``=``.
    """
    parsed = {}
    for entry in settings:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise ConfigError("--set", entry, "key=value, for example batch_size=4096")
        parsed[key.strip()] = value.strip()
    return parsed


def leaves(mapping: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of all fields that hold a value."""
    names: list[str] = []
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            names.extend(leaves(value, f"{prefix}{key}."))
        else:
            names.append(prefix + key)
    return names


def _known(key: str, names: Sequence[str], where: str) -> str:
    """Return which fields there are as a phrase, first those that are probably meant."""
    nearest = _nearest(key, names)
    every = f"of the fields {', '.join(names)}"
    if not nearest:
        return f"one {every}"
    return f"{' or '.join(_join(where, name) for name in nearest)}, or another {every}"


def _nearest(key: str, names: Sequence[str]) -> list[str]:
    """Return the fields of the same last part; else what is spelt most alike, whole or in its last part."""
    by_leaf: dict[str, list[str]] = {}
    for name in names:
        by_leaf.setdefault(name.rpartition(".")[2], []).append(name)
    leaf = key.rpartition(".")[2]
    if leaf in by_leaf:
        return by_leaf[leaf]
    alike = difflib.get_close_matches(key, names, n=1)
    if alike:
        return alike
    return [name for like in difflib.get_close_matches(leaf, by_leaf, n=1) for name in by_leaf[like]]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" with the nearest known names, or nothing if none is near."""
    found = _nearest(name, list(known))
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def _parse(text: str, current: object) -> object:
    """Split text where the field holds a sequence; ``null`` and ``none`` clear an optional field."""
    if text.lower() in ("null", "none"):
        return None
    if isinstance(current, (list, tuple)):
        body = text.strip("[]()")
        return [part.strip() for part in body.split(",") if part.strip()]
    return text


def _convert(cls: type[Config], mapping: Mapping[str, Any], where: str, *, strict: bool) -> Config:
    try:
        config = msgspec.convert(mapping, cls, strict=strict)
    except msgspec.ValidationError as error:
        match = _MESSAGE.fullmatch(str(error))
        assert match is not None
        path = (match["path"] or "").lstrip(".")
        absent = _ABSENT.fullmatch(match["problem"])
        if absent is not None:
            path = _join(path, absent[1])
            raise ConfigError(_join(where, path), None, _allowed(cls, path) or "a value") from error
        value = _lookup(mapping, path)
        if "[...]" in path:  # of which entry is not told, only the type of what is there
            value = match["problem"].partition(", got ")[2].strip("`")
        expected = _allowed(cls, path) or match["problem"].partition("Expected ")[2].partition(",")[0].strip(
            "`"
        )
        raise ConfigError(_join(where, path), value, expected or match["problem"]) from error
    except ConfigError as error:  # of the dataclass itself, which does not know where it was read
        raise ConfigError(_join(where, error.field), error.value, error.expected) from error
    _refuse_wide_integers(to_mapping(config), where)
    return config


def _refuse_unknown_fields(cls: Any, mapping: Mapping[str, Any], where: str) -> None:
    hints = get_type_hints(cls)
    for key, value in mapping.items():
        if key not in hints:
            expected = f"one of the fields {', '.join(hints)}{did_you_mean(key, hints)}"
            raise ConfigError(_join(where, key), value, expected)
        items: Collection[Any] = value if isinstance(value, (list, tuple)) else [value]
        if get_origin(hints[key]) is Mapping and isinstance(value, Mapping):
            items = value.values()
        for inner in (hints[key], *get_args(hints[key])):
            if dataclasses.is_dataclass(inner):
                for item in items:
                    if isinstance(item, Mapping):
                        _refuse_unknown_fields(inner, item, _join(where, key))


def _refuse_wide_integers(mapping: Mapping[str, Any], where: str) -> None:
    """Refuse whole numbers that no array can hold; to msgspec they are integers like others."""
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            _refuse_wide_integers(value, _join(where, key))
        elif isinstance(value, (list, tuple)):
            _refuse_wide_integers({f"{key}[{index}]": item for index, item in enumerate(value)}, where)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ConfigError(_join(where, key), value, "a whole number of 64 bits")


def _lookup(mapping: object, path: str) -> object:
    for key in re.findall(r"[^.\[\]]+", path):
        if isinstance(mapping, Mapping):
            mapping = mapping.get(key)
        elif isinstance(mapping, Sequence) and key.isdigit():
            mapping = mapping[int(key)]
        else:
            return None
    return mapping


def _allowed(cls: Any, path: str) -> str:
    """Return the values of a Literal field as a phrase, or an empty string."""
    hint: Any = cls
    for key in re.findall(r"[^.\[\]]+", path):
        if dataclasses.is_dataclass(hint):
            hint = _without_none(get_type_hints(hint).get(key))
        elif key.isdigit() or key == "...":
            hint = next(iter(get_args(hint)), None)
        else:
            return ""
    if get_origin(hint) is Literal:
        return " or ".join(_shown(value) for value in get_args(hint))
    return ""


def _without_none(hint: Any) -> Any:
    """Return the one type that an optional field has beside None."""
    if get_origin(hint) not in (Union, UnionType):
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else hint


def _shown(value: object) -> str:
    text = str(value)
    return text if any(letter.isalnum() for letter in text) else repr(value)


def _join(where: str, key: str) -> str:
    if where.endswith(": "):
        return where + key if key else where.removesuffix(": ")
    return f"{where}.{key}" if where and key else where or key
