"""Operations, under the names of `keras.ops`: recorded on values while a model is traced, computed at once on arrays."""

# ruff: noqa: F401, F403, E501  (the public names of this room are those of its modules)

from __future__ import annotations

from ..ir import Value
from .activation import *
from .base import REGISTRY, Operation, Sample, apply, cast, constant, convert
from .comparison import *
from .conv import *
from .conv_pool import *
from .conversion import *
from .creation import *
from .custom import *
from .elementwise import *
from .indexing import *
from .linalg import *
from .nn import *
from .normalization import *
from .optim import *
from .pool import *
from .random import *
from .reduction import *
from .register import *
from .shape import *
from .special import *

Value.operators.update({name: fn for name, fn in globals().items() if callable(fn)})
Value.operators["constant"] = constant


def __getattr__(name: str) -> object:
    """`cond` and `scan` own body graphs, so they live with the compiler and are only named here."""
    if name in ("cond", "scan"):
        from .. import compiler

        return getattr(compiler, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
