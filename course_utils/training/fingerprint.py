"""What a computation depends on: the code that it reaches and the values that this code uses, by name."""

from __future__ import annotations

import dis
import enum
import functools
import hashlib
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from course_utils.training.own_code import owner, owner_of_module

_PLAIN = {
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    bytearray,
    range,
    type(...),
    type(NotImplemented),
}
_DEEPEST = 100
"""Levels of nested values that are read."""
_MOST = 100_000
"""Values that are read."""
_NO_OPERATION = {"NOP", "RESUME", "CACHE", "EXTENDED_ARG", "PRECALL"}
_DYNAMIC = {"eval", "exec", "globals", "__import__"}
"""Functions that reach code and variables by names which are not in the code."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_BUILT_IN = (
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    *_DESCRIPTORS,
)


class Fingerprint:
    """Digests of everything that decides how a model computes, apart from its weights.

    Reading starts at the model and follows what its code uses: methods, base classes, helper functions,
    variables of the notebook, closures, hooks. Of libraries, the names count; of the course, the code of each
    function and class that is used; of the reader's own code, everything. Comments, docstrings and line
    numbers do not count. Nothing that is read is called.

    Parameters
    ----------
    model : nn.Module
        Its weights, the statistics of its batch normalisation, its mode and its device do not count.
    others : mapping of str to value
        Functions and values beside the model, by their names.

    Attributes
    ----------
    parts : dict of str to str
        A digest for each function, attribute, buffer and variable.
    doubts : dict of str to str
        Parts that cannot be read, and why.

    Examples
    --------
    >>> first, second = (Fingerprint(nn.Sequential(nn.LeakyReLU(slope))) for slope in (0.1, 0.2))
    >>> second.difference(first.parts)
    '`model.0.negative_slope` has changed since the last run'
    """

    def __init__(self, model: nn.Module, others: Mapping[str, Any] | None = None) -> None:
        self.parts: dict[str, str] = {}
        self.doubts: dict[str, str] = {}
        model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
        self._modules = {id(module): name for name, module in model.named_modules()}
        self._weights = {id(weight): name for name, weight in model.named_parameters()}
        self._known: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no other value gets the id of a known one
        self._variables: set[tuple[str, str]] = set()
        self._names: set[str] = set()
        self._queue: deque[tuple[str, Callable[[], None]]] = deque()
        self._part, self._depth, self._count = "", 0, 0
        for name, module in model.named_modules():
            self._add_module(".".join(["model", name] if name else ["model"]), module)
        hooks = [
            vars(nn.modules.module)[name] for name in sorted(vars(nn.modules.module)) if "_hooks" in name
        ]
        self._add("hooks of all modules", [list(each.values()) for each in hooks if isinstance(each, dict)])
        for name, value in (others or {}).items():
            self._add_variable(name, value, {}, ())
        while self._queue:
            self._part, read = self._queue.popleft()
            try:
                read()
            except Exception:  # such as a metaclass of the reader's own
                self.doubts[self._part] = "cannot be read"

    @property
    def key(self) -> str:
        """A digest of all parts."""
        return digest_of(*(f"{name} {part}" for name, part in sorted(self.parts.items())))

    def difference(self, earlier: Mapping[str, str]) -> str:
        """Say what keeps this computation from being the one with the parts `earlier`; nothing if it is."""
        changed = [name for name in self.parts if earlier.get(name, self.parts[name]) != self.parts[name]]
        new = [name for name in self.parts if name not in earlier]
        gone = [name for name in earlier if name not in self.parts]
        for names, one, several in (
            (changed, "has changed since the last run", "have changed since the last run"),
            (new, "was not part of the last run", "were not part of the last run"),
            (gone, "was part of the last run and is gone", "were part of the last run and are gone"),
        ):
            if len(names) == 1:
                return f"`{names[0]}` {one}"
            if names:
                return f"`{names[0]}` and {len(names) - 1} more {several}"
        for name, why in self.doubts.items():
            return f"`{name}` cannot be compared: it {why}"
        return ""

    def _add(self, name: str, value: Any) -> None:
        before, self._part = self._part, self._unique(name)
        self.parts[self._part] = self._digest(value)
        self._part = before

    def _add_module(self, path: str, module: nn.Module) -> None:
        self._add(f"type of {path}", type(module))
        for name, value in _state_of(module):
            if name == "training":
                continue
            if isinstance(module, nn.modules.batchnorm._NormBase) and name in _STATISTICS:
                value = None if value is None else tuple(value.shape)
            self._add(f"{path}.{name}", value)

    def _unique(self, name: str) -> str:
        """Return the name of a part: two functions may have the same one."""
        number, unique = 1, name
        while unique in self._names:
            number += 1
            unique = f"{name} ({number})"
        self._names.add(unique)
        return unique

    def _doubt(self, value: Any) -> str:
        kind = type(value).__name__
        self.doubts.setdefault(self._part, f"holds {'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}")
        return "not read"

    def _digest(self, value: Any) -> str:
        kind = type(value)
        if kind in _PLAIN:
            return digest_of(kind.__name__, hex(value) if kind is int else repr(value))
        if id(value) in self._known:
            return self._known[id(value)]
        self._count += 1
        if self._depth >= _DEEPEST or self._count > _MOST:
            return self._doubt(value)
        self._kept.append(value)
        self._known[id(value)] = f"around {self._depth}"  # what a list that contains itself has in its place
        self._depth += 1
        try:
            found = self._read(value)
        except Exception:  # a foreign object may raise anything when it is looked at
            found = self._doubt(value)
        finally:
            self._depth -= 1
        self._known[id(value)] = found
        return found

    def _all(self, label: str, *values: Any) -> str:
        return digest_of(label, *map(self._digest, values))

    def _read(self, value: Any) -> str:
        kind = type(value)
        if id(value) in self._modules:
            return digest_of("module of the model", self._modules[id(value)])
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.generic):
            return digest_of(value.dtype.str, value.tobytes())
        if isinstance(value, np.ndarray):
            items = value.tolist() if value.dtype.hasobject else value.tobytes()
            return digest_of("array", str(value.dtype), repr(value.shape), self._digest(items))
        if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
            return digest_of(repr(value))
        if isinstance(value, (torch.device, RemovableHandle)):
            return kind.__name__  # the same run on another device, and hooks are counted in each process
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.ModuleType):
            return digest_of("module", value.__name__)
        if isinstance(value, _BUILT_IN):
            of = getattr(value, "__self__", getattr(value, "__objclass__", None))
            name = f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', value.__name__)}"
            return digest_of("built in", name, "" if isinstance(of, types.ModuleType) else self._digest(of))
        if isinstance(value, types.MethodType):
            return self._all("method", value.__func__, value.__self__)
        if isinstance(value, (staticmethod, classmethod)):
            return self._all(kind.__name__, value.__func__)
        if isinstance(value, property):
            return self._all("property", value.fget, value.fset)
        if isinstance(value, functools.cached_property):
            return self._all("cached property", value.func)
        if isinstance(value, functools.partial):
            return self._all("partial", value.func, value.args, value.keywords)
        if isinstance(value, functools._lru_cache_wrapper):
            return self._all("cached", value.__wrapped__)
        if isinstance(value, weakref.ReferenceType):
            return self._all("reference", value())
        if isinstance(value, enum.Enum):
            return self._all("member", kind, value.name, value.value)
        return self._object(value)

    def _object(self, value: Any) -> str:
        kind = type(value)
        of_library = owner_of_module(kind.__module__) == "library"
        content: list[Any] = []
        if isinstance(value, nn.Module):
            return self._all("module", kind, *(part for pair in _state_of(value) for part in pair))
        if isinstance(value, (set, frozenset)):
            content = sorted(map(self._digest, value))  # its order changes from one process to the next
        elif of_library and kind not in (list, tuple, dict):
            return self._reduced(value)
        elif isinstance(value, (list, tuple, deque)):
            content = list(value)
        elif isinstance(value, dict):
            content = [part for item in value.items() for part in item]
        state = dict(getattr(value, "__dict__", {}))
        for each in kind.__mro__:
            slots = each.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if not slot.startswith("__") and hasattr(value, slot):
                    state[slot] = getattr(value, slot)
        attributes = (part for name in sorted(state) for part in (name, state[name]))
        return self._all("object", kind, len(content), *content, *attributes)

    def _reduced(self, value: Any) -> str:
        """Digest an object of a library as `pickle` would take it apart."""
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return digest_of("named", type(value).__qualname__, reduced)
        return self._all("reduced", *(list(part) if hasattr(part, "__next__") else part for part in reduced))

    def _tensor(self, value: Tensor) -> str:
        names = ("_backward_hooks", "_post_accumulate_grad_hooks")
        hooks = [list(each.values()) for name in names if (each := getattr(value, name, None))]
        if id(value) in self._weights:
            lazy = is_lazy(value)
            facts = (lazy or tuple(value.shape), value.dtype, value.requires_grad)
            return self._all("weight", self._weights[id(value)], *facts, hooks)
        plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
        content = plain.reshape(-1).view(torch.uint8).numpy().data
        return digest_of("tensor", str(value.dtype), str(tuple(value.shape)), content, self._digest(hooks))

    def _function(self, function: types.FunctionType) -> str:
        whose = owner(function.__code__.co_filename)
        label = f"{function.__module__}.{function.__qualname__}"
        if whose == "library":
            doubts = dict(self.doubts)
            # Some of PyTorch's functions differ only in those that they wrap.
            found = self._all(label, *map(_content, function.__closure__ or ()))
            self.doubts = doubts
            return found
        if whose == "course":
            return digest_of(label, self._code(function.__code__, {}, ""))
        name = self._unique(function.__qualname__.replace("<locals>.", ""))
        self._queue.append((name, lambda: self._add_function(name, function)))
        return digest_of("function", name)

    def _add_function(self, name: str, function: types.FunctionType) -> None:
        code = self._code(function.__code__, function.__globals__, name)
        closure = [_content(cell) for cell in function.__closure__ or ()]
        values = (function.__defaults__, function.__kwdefaults__, closure, vars(function))
        self.parts[name] = self._all(code, *values)

    def _class(self, kind: type) -> str:
        whose = owner_of_module(kind.__module__)
        label = f"{kind.__module__}.{kind.__qualname__}"
        if whose == "library":
            return digest_of(label)
        if whose == "course":
            functions = [each for each in vars(kind).values() if isinstance(each, types.FunctionType)]
            return self._all(label, *kind.__bases__, *functions)
        name = self._unique(kind.__qualname__.replace("<locals>.", ""))
        self._queue.append((name, lambda: self._add_class(name, kind)))
        return digest_of("class", name)

    def _add_class(self, name: str, kind: type) -> None:
        self.parts[name] = self._all("class", type(kind), *kind.__bases__)
        counts = ("_autograd", "_backward_cls") if issubclass(kind, torch.autograd.Function) else ()
        for attribute, value in sorted(vars(kind).items()):
            special = attribute.startswith("__") and attribute.endswith("__")
            if special and not isinstance(value, (types.FunctionType, staticmethod, classmethod)):
                continue  # __doc__, __dict__, __annotations__, …
            if attribute in ("__annotate__", "__annotate_func__", "_abc_impl") or attribute.startswith(
                counts
            ):
                continue
            if (
                isinstance(value, types.FunctionType)
                and value.__qualname__ == f"{kind.__qualname__}.{attribute}"
            ):
                self._digest(value)  # a part by this very name
            elif not isinstance(value, _DESCRIPTORS):
                self._add(f"{name}.{attribute}", value)

    def _code(self, code: types.CodeType, variables: Mapping[str, Any], function: str) -> str:
        """Digest a code object; for the reader's own `function`, add the variables that it uses."""
        steps = [step for step in dis.get_instructions(code) if step.opname not in _NO_OPERATION]
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        texts = [repr((code.co_argcount, code.co_posonlyargcount, arguments, code.co_flags & 0x2C))]
        texts.append(code.co_exceptiontable.hex())
        kinds = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
        attributes = {step.argval for step in steps if step.opname in kinds}
        for step in steps:
            name = step.argval
            inner = isinstance(name, types.CodeType)
            text = self._code(name, variables, function) if inner else self._digest(name)
            texts.append(f"{step.opname} {text}")
            if not function:
                continue
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name in variables:
                self._add_variable(name, variables[name], variables, attributes)
            elif step.opname == "LOAD_GLOBAL" and name in _DYNAMIC:
                self.doubts.setdefault(function, f"calls {name}()")
            elif step.opname == "IMPORT_NAME" and name in sys.modules:
                self._add_variable(name, sys.modules[name], {}, attributes)
        return digest_of(*texts)

    def _add_variable(
        self, name: str, value: Any, variables: Mapping[str, Any], attributes: Iterable[str]
    ) -> None:
        """Add a variable; of a module of the reader's own, add those of its `attributes` that code uses."""
        module = str(variables.get("__name__", "__main__"))
        if (module, name) not in self._variables:
            self._variables.add((module, name))
            by_this_name = isinstance(value, (types.FunctionType, type)) and value.__qualname__ == name
            if by_this_name and module == "__main__" and self._is_own(value):
                self._digest(value)  # a part by this very name
            else:
                self._add(name if module == "__main__" else f"{module}.{name}", value)
        if isinstance(value, types.ModuleType) and owner_of_module(value.__name__) == "own":
            inside = vars(value)
            for attribute in sorted(set(attributes) & inside.keys()):
                if (value.__name__, attribute) not in self._variables:
                    self._add_variable(attribute, inside[attribute], inside, attributes)

    @staticmethod
    def _is_own(value: types.FunctionType | type) -> bool:
        if isinstance(value, type):
            return owner_of_module(value.__module__) == "own"
        return owner(value.__code__.co_filename) == "own"


def digest_of(*texts: str | bytes | memoryview) -> str:
    """Return a short digest of texts and bytes.

    Examples
    --------
    >>> digest_of("ab", "c") == digest_of("a", "bc")
    False
    """
    digest = hashlib.blake2b(digest_size=12)
    for text in texts:
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else memoryview(text)
        digest.update(f"{len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it has no value yet
        return "empty"


def _state_of(module: nn.Module) -> list[tuple[str, Any]]:
    """Return the attributes of a module with its weights, buffers, modules and hooks, in order of names."""
    state: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name in ("_parameters", "_buffers", "_modules") and isinstance(value, dict):
            state |= value
        elif "_hooks" in name and isinstance(value, dict):
            state[name] = list(value.values())  # the keys count the hooks of the whole process
        else:
            state[name] = value
    return sorted(state.items())
