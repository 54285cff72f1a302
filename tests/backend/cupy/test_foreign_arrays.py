"""Arrays of the user's in page-locked memory, and arrays of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import ops
from gputrain.errors import DeviceError
from tests.backend.cupy.world import World, emulated
from tests.cuda_emulator import RaceError

N = 1024


@pytest.fixture
def world() -> Iterator[World]:
    with emulated() as found:
        yield found


# ----------------------------------------------------------------------------------------- page-locked memory


def pinned(world: World) -> np.ndarray:
    """A page-locked array, as users make them for their own copies."""
    memory = world.standin.cupy.cuda.alloc_pinned_memory(4 * N)
    array = np.frombuffer(memory, "float32")
    array[...] = np.arange(N)
    return array


def test_a_page_locked_array_may_change_after_the_upload(world: World) -> None:
    device, host = world.device, pinned(world)
    target = device.empty((N,), "float32")
    device.upload(host, target)
    host[...] = -1
    np.testing.assert_array_equal(device.download(target), np.arange(N))


def test_a_part_of_a_page_locked_array_as_well(world: World) -> None:
    device, host = world.device, pinned(world)
    array = device.asarray(host[10:20])
    host[...] = -1
    np.testing.assert_array_equal(device.download(array), np.arange(10, 20))


def test_only_page_locked_arrays_are_waited_for(world: World) -> None:
    """The driver has copied any other before it returns."""
    device = world.device
    target = device.empty((N,), "float32")
    with world.standin.statistics.record() as log:
        device.upload(np.arange(N, dtype="float32"), target)
        device.upload(pinned(world).astype("float64"), target)  # converted on the way
    assert not [event for event in log if event.kind == "sync"]


def test_a_gpu_that_reads_the_hosts_pages_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = "tests.cuda_emulator.standin.devices"
    attributes = {"MultiProcessorCount": 4, "PageableMemoryAccessUsesHostPageTables": 1}
    monkeypatch.setattr(f"{cls}.device_attributes", lambda world: attributes)
    with emulated() as world, world.standin.statistics.record() as log:
        world.device.asarray(np.arange(N))
        assert [event.name for event in log if event.kind == "sync"] == ["Stream.synchronize"]


def test_training_on_page_locked_arrays(world: World) -> None:
    host = pinned(world).reshape(64, 16)
    model = keras.Sequential([keras.layers.Input((16,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.predict(host, verbose=0)
    host[...] = 0
    assert (model.predict(host, verbose=0) == model.layers[-1].bias.numpy()).all()


def test_without_the_wait_it_is_a_race(world: World) -> None:
    """As CuPy's `set` behaves by itself."""
    device, host = world.device, pinned(world)
    target = device.empty((N,), "float32")
    with device.running():
        target.set(host, stream=device.stream)
    host[...] = -1
    with pytest.raises(RaceError, match="wrote into 4096 bytes of pinned memory"):
        device.stream.synchronize()


# ----------------------------------------------------------------------------------- __cuda_array_interface__


class Produced:
    """An array of a library that knows no DLPack, as numba's: its description, and its stream."""

    def __init__(self, array: Any, stream: int | None, **changes: Any) -> None:
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, "stream": stream, **changes}


def written(world: World, stream: Any) -> Any:
    """0, 1, 2 ... on the device, being written by a stream that is nobody's current one."""
    cupy = world.standin.cupy
    host = np.arange(12, dtype="float32").reshape(3, 4) - 5
    with stream:
        array = cupy.empty(host.shape, "float32")
        array.set(host, stream=stream)
        cupy.multiply(array, 2, out=array)
    return array


EXPECTED = 2 * (np.arange(12, dtype="float32").reshape(3, 4) - 5)


@pytest.mark.parametrize("kind", ["a handle", "legacy", "per thread"])
def test_the_stream_of_an_array_is_waited_for(world: World, kind: str) -> None:
    cls = world.standin.cupy.cuda.Stream
    stream = {"a handle": cls(non_blocking=True), "legacy": cls.null, "per thread": cls.ptds}[kind]
    number = {"a handle": stream.ptr, "legacy": 1, "per thread": 2}[kind]
    found = ops.relu(Produced(written(world, stream), number))
    assert world.device.owns(found)
    np.testing.assert_array_equal(world.device.download(found), np.maximum(EXPECTED, 0))


def test_an_array_that_names_no_stream_needs_no_wait(world: World) -> None:
    stream = world.standin.cupy.cuda.Stream(non_blocking=True)
    array = written(world, stream)
    with pytest.raises(RaceError):
        ops.relu(Produced(array, None))
    stream.synchronize()
    found = ops.relu(Produced(array, None))
    np.testing.assert_array_equal(world.device.download(found), np.maximum(EXPECTED, 0))


def test_models_take_such_arrays(world: World) -> None:
    stream = world.standin.cupy.cuda.Stream(non_blocking=True)
    x = Produced(written(world, stream), stream.ptr)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((3, 2), "float32"), epochs=1, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), model.predict(EXPECTED, verbose=0))


@pytest.mark.parametrize(
    "changes, words",
    [({"stream": 0}, "stream ptr 0 is disallowed"), ({"mask": np.ones(3, bool)}, "masked arrays")],
    ids=["stream 0", "masked"],
)
def test_what_cannot_be_shared_is_refused(world: World, changes: dict[str, Any], words: str) -> None:
    array = written(world, world.standin.cupy.cuda.Stream.null)
    wrong = Produced(array, **{"stream": 1, **changes})
    with pytest.raises(DeviceError, match=rf"cannot be shared by its __cuda_array.*{words}.*DLPack"):
        ops.relu(wrong)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(DeviceError, match=words):
        model.predict(wrong, verbose=0)
