"""Kernels of users: compiled with common.cuh in front, their parameters checked by the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Thunk
from gputrain.backend.cupy.launch import CUDA_TYPES
from gputrain.errors import DeviceError, DTypeError, explain
from gputrain.ops.base import Operation, spec_of
from gputrain.ops.register import CudaKernel, scalars_of

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice
    from gputrain.backend.cupy.launch import Function

SCALAR_TYPES = {"i": "i64", "d": "double"}
LOG_LINES = 6  # of the compiler's report

# A kernel with other parameters than it is called with would read wherever the bytes point to.
CHECK = """
template <typename A, typename B> struct GputrainSame {{ static const bool value = false; }};
template <typename A> struct GputrainSame<A, A> {{ static const bool value = true; }};
static_assert(GputrainSame<decltype({kernel}), void({parameters})>::value, "{mark}");
"""
MARK = "parameters of the kernel"


def bind_kernel(
    device: CupyDevice, op: Operation, kernel: CudaKernel, outs: Sequence[Any], ins: Sequence[Any]
) -> Thunk:
    """A launch of a user's kernel on these buffers.

    Raises:
        DTypeError: the kernel is not for this dtype.
        DeviceError: it does not compile, or takes other parameters.
    """
    dtype = (*ins, *outs)[0].dtype.name
    if dtype not in kernel.dtypes:
        raise _wrong_dtype(op, kernel, dtype)
    specs = [spec_of(x) for x in ins]
    scalars = scalars_of(op, kernel, specs, outs[0].size)
    threads = outs[0].size if kernel.threads is None else kernel.threads(op, *specs)
    function = _function(device, op, kernel, dtype, outs, ins, [kind for kind, _ in scalars])
    values = [value for _, value in scalars]
    try:
        launch = function.bind(*outs, *ins, *values, threads=threads, block=kernel.block)
    except device.cupy.cuda.compiler.CompileException as error:
        parameters = _parameters(outs, ins, [kind for kind, _ in scalars])
        raise _not_compiled(op, kernel, parameters, str(error)) from error
    return InOrder((launch,))  # so that listings show the kernel's own name


def _function(
    device: CupyDevice,
    op: Operation,
    kernel: CudaKernel,
    dtype: str,
    outs: Sequence[Any],
    ins: Sequence[Any],
    scalars: Sequence[str],
) -> Function:
    expression = f"{kernel.name}<{CUDA_TYPES[dtype]}>" if kernel.template else kernel.name
    check = CHECK.format(kernel=expression, parameters=_parameters(outs, ins, scalars), mark=MARK)
    text = f'#line 1 "{type(op).__name__}"\n{kernel.source}\n{check}'
    dtypes = [array.dtype.name for array in (*outs, *ins)]
    return device.kernel_library.generated(text, expression, [*dtypes, *scalars], dtypes)


def _parameters(outs: Sequence[Any], ins: Sequence[Any], scalars: Sequence[str]) -> str:
    """The types that a kernel's parameters must have."""
    types = [f"{CUDA_TYPES[array.dtype.name]}*" for array in outs]
    types += [f"const {CUDA_TYPES[array.dtype.name]}*" for array in ins]
    return ", ".join([*types, *(SCALAR_TYPES[kind] for kind in scalars)])


def _wrong_dtype(op: Operation, kernel: CudaKernel, dtype: str) -> DTypeError:
    return DTypeError(
        explain(
            f"The CUDA kernel {kernel.name} of {type(op).__name__} is not for this dtype.",
            expected=", ".join(kernel.dtypes),
            received=dtype,
            fix="Convert with ops.cast, or name the dtype in CudaKernel(..., dtypes=...).",
        )
    )


def _not_compiled(op: Operation, kernel: CudaKernel, parameters: str, log: str) -> DeviceError:
    name = f"The CUDA kernel {kernel.name} of {type(op).__name__}"
    if MARK in log:
        rule = f"{name} takes other parameters than it is called with."
        order = (
            "The order is outputs, inputs, the operation's parameters, number of elements (see CudaKernel)."
        )
        return DeviceError(explain(rule, expected=parameters, received=kernel.declared, fix=order))
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    return DeviceError("\n  ".join([f"{name} does not compile:", *lines[:LOG_LINES]]))
