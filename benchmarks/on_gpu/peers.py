"""Those that gputrain is compared with, each of which may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.on_gpu import jax_peer, torch_peer
from benchmarks.on_gpu.checks import check_peer
from benchmarks.on_gpu.tasks import Data, Task
from benchmarks.on_gpu.timing import Side, in_a_line, warm_up


@dataclass(frozen=True)
class Peer:
    """One of them.

    Attributes:
        name: in the tables.
        install: what pip installs.
        find: device to module; ImportError where it is not there.
        set_tf32: (module, allowed).
        make: (module, task, data, weights, device, epochs, exact) to a side; for
            `exact` see `torch_peer.build`.
    """

    name: str
    install: str
    find: Callable[[str], Any]
    set_tf32: Callable[[Any, bool], None]
    make: Callable[..., Side]


def _eager(torch: Any, task: Task, data: Data, weights: Any, device: str, epochs: int, exact: bool) -> Side:
    return torch_peer.TorchSide(torch, task, data, weights, device, None, epochs, exact)


def _compiled(
    torch: Any, task: Task, data: Data, weights: Any, device: str, epochs: int, exact: bool
) -> Side:
    how = torch_peer.REDUCE_OVERHEAD if device == "cuda" else torch_peer.TRACED_ONLY
    return torch_peer.TorchSide(torch, task, data, weights, device, how, epochs, exact)


def _jax(jax: Any, task: Task, data: Data, weights: Any, device: str, epochs: int, exact: bool) -> Side:
    return jax_peer.JaxSide(jax, task, data, weights, epochs)


PEERS = (
    Peer("pytorch eager", "torch", torch_peer.find, torch_peer.set_tf32, _eager),
    Peer("torch.compile", "torch", torch_peer.find, torch_peer.set_tf32, _compiled),
    Peer("jax jit", "jax[cuda12] optax", jax_peer.find, jax_peer.set_tf32, _jax),
)
NAMES = tuple(peer.name for peer in PEERS)


@dataclass(frozen=True)
class Setting:
    """What all sides of one comparison share.

    Attributes:
        data: what is timed on.
        checked: the part of it that is checked on.
        weights: to start from.
        expected: losses that the check expects, see `checks.reference`.
        device: "cuda" or "cpu".
        epochs: of a round.
        steps: of the training that must make the loss fall.
    """

    task: Task
    data: Data
    checked: Data
    weights: Any
    expected: dict[str, Any]
    tf32: bool
    device: str
    epochs: int
    steps: int


def ready(peer: Peer, setting: Setting) -> tuple[Side | None, str]:
    """(a side that was checked and is warm, ""), or (None, why not)."""
    try:
        module = peer.find(setting.device)
    except ImportError as error:
        return None, f"{error} (pip install {peer.install})"
    except Exception as error:  # noqa: BLE001 - a peer that is broken is left out
        return None, in_a_line(error)
    try:
        peer.set_tf32(module, setting.tf32)
        wrong = list(_wrong(peer, module, setting))
        if wrong:
            return None, "; ".join(wrong)
        side = _made(peer, module, setting, setting.data, exact=False)
    except Exception as error:  # noqa: BLE001 - as above: out of memory, no compiler, an old driver
        return None, in_a_line(error)
    failed = warm_up(side)
    return (side, "") if failed is None else (None, failed)


def _wrong(peer: Peer, module: Any, setting: Setting) -> Iterator[str]:
    """What its check finds, on the model that is padded as ours."""
    side = _made(peer, module, setting, setting.checked, exact=True)
    yield from check_peer(side, setting.task, setting.checked, setting.expected, setting.tf32, setting.steps)


def _made(peer: Peer, module: Any, setting: Setting, data: Data, exact: bool) -> Side:
    made = setting.task, data, setting.weights, setting.device, setting.epochs, exact
    return peer.make(module, *made)


def all_ready(
    peers: Sequence[Peer], setting: Setting, say: Callable[[str], None]
) -> tuple[dict[str, Side], dict[str, str]]:
    """(sides by name, reasons of those that are missing); `say` gets what goes on."""
    sides, skipped = {}, {}
    for peer in peers:
        say(f"  preparing {peer.name}")
        side, reason = ready(peer, setting)
        if side is None:
            skipped[peer.name] = reason
            say(f"  skipped: {peer.name}: {reason}")
        else:
            sides[peer.name] = side
    return sides, skipped
