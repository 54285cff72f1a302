"""Operations, under the names of `keras.ops`: recorded on values while a model is traced, computed at once on arrays."""

# ruff: noqa: F401, F403, E501  (the public names of this room are those of its modules)

from __future__ import annotations

from gputrain.ir import Value
from gputrain.ops.activation import *
from gputrain.ops.base import REGISTRY, Operation, Sample, apply, cast, constant, convert
from gputrain.ops.comparison import *
from gputrain.ops.cond import *
from gputrain.ops.conv import *
from gputrain.ops.conv_pool import *
from gputrain.ops.conversion import *
from gputrain.ops.creation import *
from gputrain.ops.custom import *
from gputrain.ops.elementwise import *
from gputrain.ops.indexing import *
from gputrain.ops.linalg import *
from gputrain.ops.nn import *
from gputrain.ops.normalization import *
from gputrain.ops.optim import *
from gputrain.ops.pool import *
from gputrain.ops.random import *
from gputrain.ops.reduction import *
from gputrain.ops.register import *
from gputrain.ops.scan import *
from gputrain.ops.shape import *
from gputrain.ops.special import *

Value.operators.update({name: fn for name, fn in globals().items() if callable(fn)})
Value.operators["constant"] = constant
