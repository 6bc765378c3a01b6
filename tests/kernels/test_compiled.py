from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

import hotrow
from hotrow.kernels import _compiled

STUB = Path(hotrow.__file__).parent / "_kernels.pyi"


@pytest.mark.skipif(_compiled.load() is None, reason="the compiled kernels are not installed")
def test_stub_names_what_the_module_has() -> None:
    nodes = ast.parse(STUB.read_text()).body
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    module = _compiled.require()
    public = {name for name in dir(module) if not name.startswith("_")}
    assert {function.name for function in functions} | classes == public
    for function in functions:
        arguments = [argument.arg for argument in function.args.args]
        assert all(f"{name}:" in (getattr(module, function.name).__doc__ or "") for name in arguments)


def test_missing_module_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    _compiled._attempt.cache_clear()
    try:
        assert _compiled.load() is None
        assert "without a C++ compiler" in _compiled.problem()
        with pytest.raises(RuntimeError, match="without a C\\+\\+ compiler"):
            _compiled.require()
    finally:
        monkeypatch.undo()
        _compiled._attempt.cache_clear()
