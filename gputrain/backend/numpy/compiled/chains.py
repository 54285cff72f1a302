"""Chains of elementwise operations by one compiled kernel: one pass over memory, however long they are."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.backend.numpy.compiled.pointwise import ARRAYS, AXES, COMPARISONS, SINGLE, Program, Site, apply
from gputrain.compiler.chains.analysis import EACH, MOVED, Chain, analyse, name_of
from gputrain.compiler.target import ChainLimits
from gputrain.ir import Node, Value
from gputrain.ir.spec import Spec

Array = Any

_LOGIC = ("LogicalAnd", "LogicalNot", "LogicalOr")


def _takes(node: Node) -> bool:
    """Whether a node can be steps of a program: of floats of one dtype and flags."""
    name, out = name_of(node), node.outputs[0].spec
    given = {v.dtype for v in node.inputs}
    floats = (given | {out.dtype}) - {"bool"}
    if len(floats) > 1 or not floats <= set(FLOATS) or len(node.outputs) > 1:
        return False
    if name in MOVED:
        return True
    if name == "Cast":
        return out.dtype != "bool"
    if name in _LOGIC:
        return given == {"bool"}
    return name in SINGLE and (out.dtype != "bool" or name in COMPARISONS)


def _floats(chain: Chain) -> set[str]:
    """The dtypes of a chain, but for flags."""
    return {v.dtype for node in chain.nodes for v in (*node.inputs, *node.outputs)} - {"bool"}


def _serves(chain: Chain) -> bool:
    """Whether a program can compute a chain: of floats of one dtype, spread along few axes."""
    return len(_floats(chain)) <= 1 and all(len(site.sizes) <= AXES for site in chain.sites.values())


LIMITS = ChainLimits(
    nodes=64, pointers=ARRAYS, column_block=lambda columns: 0, takes=_takes, serves=_serves, simplified=False
)  # fmt: skip

_programs: WeakKeyDictionary[Any, Program | None] = WeakKeyDictionary()  # asked for again and again


def _program(op: Any) -> Program | None:
    """The program of a chain; None where there is none."""
    if op not in _programs:
        _programs[op] = _made(op) if all(map(_takes, op.nodes)) else None
    return _programs[op]


def _made(op: Any) -> Program | None:
    chain = analyse(op.nodes, set(op.outputs), LIMITS)
    if chain is None or set(chain.inputs) != set(op.inputs):
        return None
    floats = _floats(chain)
    program = Program(floats.pop() if floats else "float32", chain.n)
    arrays = {v: program.array(v.dtype == "bool") for v in (*op.inputs, *op.outputs)}
    places: dict[Value, int] = {}
    reads: dict[Any, int] = {}
    needed = set(op.outputs)
    for node in chain.nodes:
        operands = tuple(
            places[v] if v in places else _read(program, chain, arrays, reads, node, i)
            for i, v in enumerate(node.inputs)
        )
        (out,) = node.outputs
        if name_of(node) in MOVED or name_of(node) == "Cast":
            places[out] = program.apply("Copy", operands) if out in needed else operands[0]
        else:
            places[out] = apply(program, node.op, operands)
    for i, out in enumerate(op.outputs):
        program.write(places[out], arrays[out], [arrays[op.inputs[j]] for k, j in op.pairs if k == i])
    program.finish()
    return program


def _read(
    program: Program, chain: Chain, arrays: dict[Value, int], reads: dict[Any, int], node: Node, i: int
) -> int:
    """Where the elements of a node's input from outside are."""
    value = node.inputs[i]
    site = None
    if (node, i) in chain.sites:
        found = chain.sites[node, i]
        site = Site(found.sizes, found.strides)
    elif chain.kinds[value] != EACH and chain.n > 1:
        site = Site((chain.n,), (0,))
    key = id(value), site
    if key not in reads:
        reads[key] = program.read(arrays[value], site)
    return reads[key]


def kernels(library: Library) -> dict[str, Kernel]:
    """The kernel of chains."""

    def prepare(op: Any, out: Any, *operands: Array, scratch: Any) -> Thunk:
        program = _program(op)
        assert program is not None, op
        outs = out if op.n_outputs > 1 else (out,)
        return program.bind(library, [*operands, *outs], scratch[0])

    def scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
        program = _program(op)
        assert program is not None, op
        return program.scratch(library)

    def accepts(op: Any, *specs: Spec) -> bool:
        given = all(v.spec == spec for v, spec in zip(op.inputs, specs, strict=True))
        return given and _program(op) is not None

    return {"Fused": Kernel(prepare, scratch, accepts=accepts)}
