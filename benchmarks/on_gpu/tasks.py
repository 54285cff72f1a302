"""What is trained: models as lists of parts, from which each side builds its own, and the data.

All sides start from the same weights and see the same images, so that their losses can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

SEED = 20
CLASSES = 10
LEARNING_RATE = 1e-3
ADAM_EPSILON = 1e-7
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.99
MOST_SAMPLES = 60_000


@dataclass(frozen=True)
class Part:
    """One step of a forward pass.

    Attributes:
        kind: conv, norm, relu, pool, dropout, flatten, dense, mean (over the image), save (keep x for later),
            project (1x1 convolution and norm of what was kept) or add (what was kept).
        name: of its weights.
        size: filters, units or width of the pooling window.
        stride: of a convolution.
        same: whether a convolution pads.
        bias: whether a convolution has one.
        rate: of dropout.
    """

    kind: str
    name: str = ""
    size: int = 0
    stride: int = 1
    same: bool = False
    bias: bool = True
    rate: float = 0.0


@dataclass(frozen=True)
class Task:
    """A model and the size of its batches.

    Attributes:
        name: as --models takes it.
        title: for people.
        shape: of one image.
        parts: the model; the last one gives the logits.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    batch: int
    parts: tuple[Part, ...]

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers, so that losses of other frameworks differ."""
        return any(part.kind == "dropout" for part in self.parts)


def _residual_block(name: str, filters: int, stride: int) -> Iterator[Part]:
    """He et al., "Deep residual learning for image recognition", 2015; the shortcut is projected where the
    shape changes."""
    yield Part("save")
    yield Part("conv", f"{name}_conv1", filters, stride, same=True, bias=False)
    yield Part("norm", f"{name}_norm1")
    yield Part("relu")
    yield Part("conv", f"{name}_conv2", filters, same=True, bias=False)
    yield Part("norm", f"{name}_norm2")
    if stride > 1:
        yield Part("project", f"{name}_project", filters, stride)
    yield Part("add")
    yield Part("relu")


def _resnet8() -> tuple[Part, ...]:
    start = (Part("conv", "stem", 16, same=True, bias=False), Part("norm", "stem_norm"), Part("relu"))
    stages = [_residual_block(f"stage{i}", 16 * 2**i, 1 + (i > 0)) for i in range(3)]
    blocks = tuple(part for stage in stages for part in stage)
    return (*start, *blocks, Part("mean"), Part("dense", "logits", CLASSES))


CNN = (
    Part("conv", "conv", 32),
    Part("relu"),
    Part("pool", size=2),
    Part("dropout", "dropout1", rate=0.25),
    Part("flatten"),
    Part("dense", "hidden", 128),
    Part("relu"),
    Part("dropout", "dropout2", rate=0.5),
    Part("dense", "logits", CLASSES),
)
MLP = (
    Part("dense", "hidden1", 512),
    Part("relu"),
    Part("dense", "hidden2", 512),
    Part("relu"),
    Part("dense", "logits", CLASSES),
)
TASKS = {
    task.name: task
    for task in (
        Task("cnn-128", "reference CNN, batch 128", (28, 28, 1), 128, CNN),
        Task("cnn-1024", "reference CNN, batch 1024", (28, 28, 1), 1024, CNN),
        Task("mlp-128", "MLP 784-512-512-10, batch 128", (784,), 128, MLP),
        Task("resnet8-128", "CIFAR ResNet-8, batch 128", (32, 32, 3), 128, _resnet8()),
    )
}


def shrunk(task: Task) -> Task:
    """The task with a small batch, for an emulated device."""
    batch = max(8, task.batch // 64)
    return replace(task, batch=batch, title=f"{task.title.partition(',')[0]}, batch {batch}")


@dataclass(frozen=True)
class Data:
    """Images and labels on the host.

    Attributes:
        x: float32 in 0..1, (samples, *shape), channels last.
        y: int64, (samples,).
    """

    x: np.ndarray
    y: np.ndarray

    def batches(self, batch: int, count: int) -> list[np.ndarray]:
        """Row numbers of so many batches, in order, from the start again where the data ends."""
        return [np.arange(i * batch, (i + 1) * batch) % len(self.x) for i in range(count)]


def make_data(task: Task, samples: int) -> Data:
    """Random uint8 images, converted once; a bright part of each shows its label, so that it is learnt."""
    rng = np.random.default_rng(SEED)
    images = rng.integers(0, 256, (samples, *task.shape), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, samples)
    rows = task.shape[0] // CLASSES
    for label in range(CLASSES):
        shown = images[:, label * rows : (label + 1) * rows]
        shown[labels == label] = 255 - shown[labels == label] // 4
    return Data(images.astype(np.float32) / np.float32(255), labels)
