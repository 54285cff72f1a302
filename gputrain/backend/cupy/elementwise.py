"""Generated kernels: one launch for a chain of elementwise operations and the reductions it ends in.

The text of a kernel depends on the operations, dtypes and ranks, not on sizes. Elements are read and
written several at a time where sizes and addresses allow. Sums over everything are folded per thread, per
block, and at last by the block that ends last, in a fixed order; so are column sums. What follows from them
is computed there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.launch import CUDA_TYPES
from gputrain.compiler.chains.analysis import (
    AFTER,
    BEFORE,
    EACH,
    MOVED,
    Chain,
    Site,
    analyse,
    name_of,
)
from gputrain.compiler.chains.expressions import EXPRESSIONS, cast_to, computed_in
from gputrain.compiler.target import ChainLimits
from gputrain.ir import Node, Spec, Value
from gputrain.utils import philox

if TYPE_CHECKING:
    from gputrain.backend.cupy.device import CupyDevice

BLOCK = 256
WIDEST = 1024  # threads of a block
MOST_PARTS = 256  # blocks whose partial results the last one folds
SMALL = 4096  # elements that one block folds alone
LANES = 16  # elements that one block of Philox words decides

# Reductions: (functor, neutral element, what an element contributes), {a} being the type added up in.
_FOLDS = {
    "Sum": ("Plus()", "0", "{x}"),
    "Mean": ("Plus()", "0", "{x}"),
    "SumTo": ("Plus()", "0", "{x}"),
    "Max": ("Larger()", "-infinity(({a})0)", "{x}"),
    "Min": ("Smaller()", "infinity(({a})0)", "{x}"),
    "AllTrue": ("Smaller()", "1", "{x}"),
    "AnyTrue": ("Larger()", "0", "{x}"),
    "AllFinite": ("Smaller()", "1", "is_finite({x})"),
}


@dataclass(frozen=True)
class Fold:
    """A reduction in the text: its accumulator's name and type, and the names of `_FOLDS`."""

    node: Node
    name: str
    kind: str
    functor: str
    neutral: str

    @property
    def source(self) -> Value:
        return self.node.inputs[0]


class Text:
    """Writes the kernel of a chain.

    Args:
        chain: what to compute.
        several: elements that a thread takes at a time.
        packed: whether they are read and written together.
        wide_index: whether positions need 64 bits.
    """

    def __init__(self, chain: Chain, several: int, packed: bool, wide_index: bool) -> None:
        self.chain, self.several, self.packed = chain, several, packed
        self.index = "u64" if wide_index else "unsigned int"
        self.names = {v: f"x{i}" for i, v in enumerate(chain.inputs)}
        for i, value in enumerate(v for node in chain.nodes for v in node.outputs):
            self.names[value] = f"v{i}"
        self.inputs = {v: i for i, v in enumerate(chain.inputs)}
        self.outputs = {v: i for i, v in enumerate(chain.outputs)}
        self.sites = {site.key: (s, site) for s, site in enumerate(_distinct(chain.sites.values()))}
        folds = chain.column_sums or chain.folds
        self.folds = [self._fold(node, i) for i, node in enumerate(folds)]

    def _fold(self, node: Node, i: int) -> Fold:
        kind = computed_in(node.outputs[0].dtype)
        kind = "int" if kind == "bool" else kind
        functor, neutral, _ = _FOLDS[name_of(node)]
        return Fold(node, f"fold{i}", kind, functor, neutral.format(a=kind))

    @property
    def name(self) -> str:
        """The kernel's name, which profilers show."""
        parts = [name_of(n).lower() for n in self.chain.nodes if name_of(n) not in MOVED]
        return "_".join(["fused", *parts[:6], *([f"and_{len(parts) - 6}_more"] if len(parts) > 6 else [])])

    # ------------------------------------------------------------------------------------------- parameters

    def parameters(self) -> list[tuple[str, str]]:
        """(kind as `Function` takes it, declaration) of each parameter, in order."""
        chain = self.chain
        found = [(v.dtype, f"const {CUDA_TYPES[v.dtype]}* p{i}") for i, v in enumerate(chain.inputs)]
        found += [(v.dtype, f"{CUDA_TYPES[v.dtype]}* q{i}") for i, v in enumerate(chain.outputs)]
        found += [(part_dtype(f.kind), f"{f.kind}* part{i}") for i, f in enumerate(self.folds)]
        found += [("uint32", "unsigned int* ticket")] if self.folds else []
        found += [("i", "i64 n")]
        found += [("i", "i64 columns")] if chain.columns else []
        for s, site in self.sites.values():
            found += [("i", f"i64 size{s}_{d}") for d in range(1, len(site.sizes))]
            found += [("i", f"i64 stride{s}_{d}") for d in range(len(site.sizes))]
        for d in range(len(chain.draws)):
            found += [("u", f"u64 seed{d}"), ("u", f"u64 stream{d}")]
            found += [("i", f"i64 threshold{d}"), ("d", f"double scale{d}")]
        return found

    def sizes(self) -> list[Any]:
        """Arguments for the scalars, in the order of `parameters`."""
        found: list[Any] = [self.chain.n, *([self.chain.columns] if self.chain.columns else [])]
        for _, site in self.sites.values():
            found += [*site.sizes[1:], *site.strides]
        for node in self.chain.draws:
            op: Any = node.op
            found += [op.seed, op.stream, *philox.keep_threshold(op.rate)]
        return found

    # ----------------------------------------------------------------------------------------------- the text

    def write(self) -> str:
        """The whole kernel."""
        head = [f"//! include {name}" for name in self._includes()]
        params = ",\n    ".join(text for _, text in self.parameters())
        # Without a bound the compiler may give each thread more registers than so many threads can have.
        bound = f"__launch_bounds__({most_threads(self.chain)})"
        first = f"__global__ void {bound} {self.name}(\n    {params}) {{"
        return "\n".join([*head, first, *self._body(), "}", ""])

    def _includes(self) -> list[str]:
        draws = ["philox.cuh"] if self.chain.draws else []
        return ["elementwise.cuh", *(["vectors.cuh"] if self.packed else []), *draws]

    def _body(self) -> Iterator[str]:
        yield f"    typedef {self.index} Index;"
        yield from self._scalars()
        for fold in self.folds:
            yield f"    {fold.kind} {fold.name} = {fold.neutral};"
        yield from self._loop()
        if self.chain.columns:
            yield from self._fold_columns()
        elif self.folds:
            yield from self._fold_all()

    def _scalars(self) -> Iterator[str]:
        """What every thread reads and computes for itself. All of it is read before anything is written."""
        for i, value in enumerate(self.chain.inputs):
            if self.chain.kinds[value] == BEFORE:
                yield f"    const {computed_in(value.dtype)} {self.names[value]} = wide(p{i}[0]);"
        yield from self._statements(BEFORE, "    ")

    def _loop(self) -> Iterator[str]:
        k = self.several
        yield f"    GPUTRAIN_GRID_STRIDE(group, (n + {k - 1}) / {k}) {{"
        yield from self._draws()
        loads = list(self._loads())
        if self.packed:
            yield from (f"        {line}" for line in loads)
        if k > 1:
            yield "#pragma unroll"
        yield f"        for (int j = 0; j < {k}; ++j) {{" if k > 1 else "        {"
        if self.sites or not self.packed:
            place = f"group * {k} + j" if k > 1 else "group"
            yield f"            const i64 i = {place};"
        if k > 1 and not self.packed:
            yield "            if (i >= n) break;"
        yield from self._each()
        yield "        }"
        if self.packed:
            for i, value in enumerate(self.chain.outputs):
                if self.chain.kinds[value] == EACH:
                    yield f"        (({self._several(value)}*)q{i})[group] = out{i};"
        yield "    }"

    def _several(self, value: Value) -> str:
        return f"Vector<{CUDA_TYPES[value.dtype]}, {self.several}>"

    def _loads(self) -> Iterator[str]:
        """Declarations of what is read and written together."""
        for i, value in enumerate(self.chain.inputs):
            if self._flat(value):
                yield f"const {self._several(value)} in{i} = ((const {self._several(value)}*)p{i})[group];"
        for i, value in enumerate(self.chain.outputs):
            if self.chain.kinds[value] == EACH:
                yield f"{self._several(value)} out{i};"

    def _flat(self, value: Value) -> bool:
        """Whether an input is read in flat order by somebody."""
        return self.chain.kinds[value] == EACH and value.spec.size == self.chain.n

    def _draws(self) -> Iterator[str]:
        for d, node in enumerate(self.chain.draws):
            step = self.names[node.inputs[1]]
            yield f"        u64 words{d}[4];"
            yield f"        philox4x64((u64)group, (u64){step}, seed{d}, stream{d}, words{d});"

    def _each(self) -> Iterator[str]:
        """One element: reads, statements, folds, writes."""
        indent = " " * 12
        for i, value in enumerate(self.chain.inputs):
            if self._flat(value):
                source = f"in{i}.at[j]" if self.packed else f"p{i}[i]"
                yield f"{indent}const {computed_in(value.dtype)} {self.names[value]} = wide({source});"
        for s, site in self.sites.values():
            yield from (indent + line for line in self._site(s, site))
        yield from self._statements(EACH, indent)
        for fold in self.folds:
            yield indent + self._contribution(fold)
        for i, value in enumerate(self.chain.outputs):
            if self.chain.kinds[value] == EACH:
                target = f"out{i}.at[j]" if self.packed else f"q{i}[i]"
                yield f"{indent}{target} = {self._stored(value)};"

    def _site(self, s: int, site: Site) -> Iterator[str]:
        """The position of a broadcast input for element i, and its value."""
        yield f"Index rest{s} = (Index)i, at{s} = 0;"
        for d in range(len(site.sizes) - 1, 0, -1):
            if site.strides[d]:
                yield f"at{s} += rest{s} % (Index)size{s}_{d} * (Index)stride{s}_{d};"
            if any(site.strides[:d]):
                yield f"rest{s} /= (Index)size{s}_{d};"
        if site.strides[0]:
            yield f"at{s} += rest{s} * (Index)stride{s}_0;"
        kind, i = computed_in(site.value.dtype), self.inputs[site.value]
        yield f"const {kind} site{s} = wide(p{i}[at{s}]);"

    def _contribution(self, fold: Fold) -> str:
        element = _FOLDS[name_of(fold.node)][2].format(x=self._operand(fold.node, 0))
        return f"{fold.name} = {fold.functor}({fold.name}, ({fold.kind}){element});"

    def _stored(self, value: Value) -> str:
        return f"narrow<{CUDA_TYPES[value.dtype]}>({self.names[value]})"

    # ------------------------------------------------------------------------------------------- statements

    def _statements(self, kind: str, indent: str) -> Iterator[str]:
        """The nodes whose results are of this kind."""
        folded = {fold.node: fold for fold in self.folds}
        for node in self.chain.nodes:
            if self.chain.kinds[node.outputs[0]] != kind:
                continue
            if node in folded:
                yield f"{indent}{self._declared(node)} = {self._finished(folded[node])};"
            elif name_of(node) == "Dropout":
                yield from (indent + line for line in self._dropout(node))
            else:
                yield f"{indent}{self._declared(node)} = {self._expression(node)};"

    def _declared(self, node: Node) -> str:
        out = node.outputs[0]
        return f"const {computed_in(out.dtype)} {self.names[out]}"

    def _operand(self, node: Node, i: int) -> str:
        site = self.chain.sites.get((node, i))
        return self.names[node.inputs[i]] if site is None else f"site{self.sites[site.key][0]}"

    def _expression(self, node: Node) -> str:
        name, out = name_of(node), node.outputs[0]
        operands = [self._operand(node, i) for i in range(len(node.inputs))] if name != "FullLike" else []
        if name in EXPRESSIONS:
            kind = computed_in(out.dtype)
            return f"({kind})({EXPRESSIONS[name](node.op, kind, *operands)})"
        if name == "AllFinite":
            return f"is_finite({operands[0]})"
        return cast_to(out.dtype, node.inputs[0].dtype, operands[0])

    def _dropout(self, node: Node) -> Iterator[str]:
        d, (y, keep) = self.chain.draws.index(node), (self.names[v] for v in node.outputs)
        kind, x = computed_in(node.outputs[0].dtype), self._operand(node, 0)
        yield f"const bool {keep} = (i64)(words{d}[j >> 2] >> (16 * (j & 3)) & 0xffff) < threshold{d};"
        yield f"const {kind} {y} = {x} * ({kind})scale{d} * ({kind}){keep};"

    def _finished(self, fold: Fold) -> str:
        """A reduction's result from its accumulator."""
        kind = computed_in(fold.node.outputs[0].dtype)
        mean = f" / ({fold.kind})n" if name_of(fold.node) == "Mean" else ""
        return f"({kind})({fold.name}{mean})"

    # ---------------------------------------------------------------------------------------------- folding

    def _fold_all(self) -> Iterator[str]:
        """Blocks fold their threads' results, the last one the blocks'; one thread finishes."""
        for fold in self.folds:
            yield f"    {self._folded(fold)}"
        yield "    if (gridDim.x > 1) {"
        for i, fold in enumerate(self.folds):
            yield f"        if (threadIdx.x == 0) part{i}[blockIdx.x] = {fold.name};"
        yield "        if (!last_block(ticket)) return;"
        for i, fold in enumerate(self.folds):
            yield f"        {fold.name} = {fold.neutral};"
            yield "        for (unsigned int k = threadIdx.x; k < gridDim.x; k += blockDim.x)"
            part = f"((volatile {fold.kind}*)part{i})[k]"
            yield f"            {fold.name} = {fold.functor}({fold.name}, {part});"
            yield f"        {self._folded(fold)}"
        yield "    }"
        yield "    if (threadIdx.x == 0) {"
        yield from self._statements(AFTER, "        ")
        for i, value in enumerate(self.chain.outputs):
            if self.chain.kinds[value] != EACH:
                yield f"        q{i}[0] = {self._stored(value)};"
        yield "    }"

    @staticmethod
    def _folded(fold: Fold) -> str:
        return f"{fold.name} = block_reduce({fold.name}, ({fold.kind}){fold.neutral}, {fold.functor});"

    def _fold_columns(self) -> Iterator[str]:
        """Each thread has met one column. Blocks fold theirs, the last one the blocks'."""
        places = {node.outputs[0]: i for i, node in enumerate(self.chain.column_sums)}
        yield "    const int width = columns < blockDim.x ? (int)columns : (int)blockDim.x;"
        yield "    const i64 strips = columns / width;  // blocks that make up a row"
        for fold in self.folds:
            i = places[fold.node.outputs[0]]
            yield f"    {fold.name} = column_reduce({fold.name}, width);"
            yield "    if (threadIdx.x < width)"
            yield f"        part{i}[(i64)blockIdx.x * width + threadIdx.x] = {fold.name};"
        yield "    if (!last_block(ticket)) return;"
        for fold in self.folds:
            i = places[fold.node.outputs[0]]
            q = self.outputs[fold.node.outputs[0]]
            result = f"narrow<{CUDA_TYPES[fold.node.outputs[0].dtype]}>(total)"
            yield "    for (i64 strip = 0; strip < strips; ++strip) {"
            yield f"        {fold.kind} total = column_total(part{i}, width, strip, strips);"
            yield f"        if (threadIdx.x < width) q{q}[strip * width + threadIdx.x] = {result};"
            yield "    }"


def _distinct(sites: Iterable[Site]) -> list[Site]:
    return list({site.key: site for site in sites}.values())


def part_dtype(kind: str) -> str:
    """The dtype of an accumulator's C++ type."""
    return next(dtype for dtype, name in CUDA_TYPES.items() if name == kind)


# ------------------------------------------------------------------------------------------------- launching


def workspaces(chain: Chain) -> tuple[Spec, ...]:
    """Room for the partial results of each fold."""
    text = Text(chain, 1, False, False)
    return tuple(Spec((_parts(chain),), part_dtype(fold.kind)) for fold in text.folds)


def block_of_columns(columns: int) -> int:
    """Threads of a block, so that a thread always meets one column; 0 where there is no such number.

    A multiple of `columns`, or a part of it.
    """
    if columns <= WIDEST // 2:
        return columns * (WIDEST // 2 // columns)
    parts = [d for d in range(64, WIDEST + 1) if columns % d == 0]
    return parts[-1] if parts else 0


# A launch takes 4 KiB of parameters.
LIMITS = ChainLimits(nodes=128, pointers=96, column_block=block_of_columns)


def _parts(chain: Chain) -> int:
    if not chain.columns:
        return MOST_PARTS
    width = min(chain.columns, block_of_columns(chain.columns))
    return _column_blocks(chain) * width


def most_threads(chain: Chain) -> int:
    """Threads of the largest block that the chain's kernel is launched with; few sizes, so few texts."""
    block = block_of_columns(chain.columns) if chain.columns else BLOCK
    return BLOCK if block <= BLOCK else 512 if block <= 512 else 1024


def _column_blocks(chain: Chain) -> int:
    """Blocks of a launch with column sums: whole rows of blocks, each with enough to do."""
    block = block_of_columns(chain.columns)
    strips = max(1, chain.columns // block)
    rows = max(1, min(MOST_PARTS // strips, chain.n // (strips * block * 4)))
    return rows * strips


def launch(gpu: CupyDevice, chain: Chain, outs: Sequence[Any], ins: Sequence[Any], scratch: Any) -> Thunk:
    """The chain's kernel on these arrays."""
    several, packed = _grouping(chain, outs, ins)
    text = Text(chain, several, packed, chain.n >= 2**31)
    kinds = [k for k, _ in text.parameters()]
    dtypes = {v.dtype for n in chain.nodes for v in (*n.inputs, *n.outputs)}
    function = gpu.kernel_library.generated(text.write(), text.name, kinds, sorted(dtypes))
    ticket = [gpu.zeroed((1,), "uint32")] if text.folds else []
    args = [*ins, *outs, *scratch, *ticket, *text.sizes()]
    if chain.columns:
        return function.bind(*args, blocks=_column_blocks(chain), block=block_of_columns(chain.columns))
    groups = -(-chain.n // several)
    if not text.folds:
        return function.bind(*args, threads=groups, block=BLOCK)
    if chain.n <= SMALL:
        return function.bind(*args, blocks=1, block=min(BLOCK, -(-chain.n // 32) * 32))
    return function.bind(*args, blocks=min(MOST_PARTS, -(-groups // BLOCK)), block=BLOCK)


def _grouping(chain: Chain, outs: Sequence[Any], ins: Sequence[Any]) -> tuple[int, bool]:
    """(elements a thread takes at a time, whether together)."""
    if chain.columns or chain.n == 1:
        return 1, False
    flat = [a for a, v in zip(ins, chain.inputs, strict=True) if v.spec.size == chain.n]
    flat += [a for a, v in zip(outs, chain.outputs, strict=True) if chain.kinds[v] == EACH]
    several = LANES if chain.draws else 4
    together = chain.n % several == 0 and all(a.data.ptr % min(16, several * a.itemsize) == 0 for a in flat)
    if chain.draws:
        return LANES, together
    return (several, True) if together else (1, False)


def _fused(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: Any) -> Thunk:
    chain = _chain_of(op)
    return launch(gpu, chain, out if op.n_outputs > 1 else (out,), inputs, scratch)


def _chain_of(op: Any) -> Chain:
    chain = analyse(op.nodes, set(op.outputs), LIMITS)
    assert chain is not None, op
    return chain


def _single(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: Any) -> Thunk:
    """One operation by itself."""
    outs = out if op.n_outputs > 1 else (out,)
    if all(o.size == 0 for o in outs):
        return InOrder(())
    values = tuple(Value(Spec(tuple(x.shape), x.dtype.name)) for x in inputs)
    specs = tuple(Spec(tuple(o.shape), o.dtype.name) for o in outs)
    node = Node.alone(op, values, specs)
    chain = analyse((node,), set(node.outputs), LIMITS)
    assert chain is not None, op
    places = dict(zip(values, inputs, strict=True))
    return launch(gpu, chain, outs, [places[v] for v in chain.inputs], ())


def _copies(gpu: CupyDevice, op: Any, out: Any, *inputs: Any, scratch: Any) -> Thunk:
    outs = out if op.n_outputs > 1 else (out,)
    return InOrder(gpu.copy(o, x) for o, x in zip(outs, inputs, strict=False))


KERNELS = {
    **{name: Kernel(_single) for name in (*EXPRESSIONS, "Cast")},
    "Fused": Kernel(_fused, lambda op, *specs: workspaces(_chain_of(op))),
    "OwnGradient": Kernel(_copies),
}
