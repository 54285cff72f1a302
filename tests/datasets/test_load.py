"""MNIST and Fashion-MNIST: where they are looked for, how they are fetched, what is said without them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gputrain.datasets import (
    CorruptFileError,
    DatasetUnavailableError,
    _catalog,
    _load,
    fashion_mnist,
    locate,
    mnist,
    search_folders,
)

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "fashion-mnist"
IDX_NAMES = [file.name for file in _catalog.MNIST.idx]
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real Fashion-MNIST is not in ../shared/data")


def small_arrays(first: tuple[int, ...] = _catalog.MNIST.first_labels, value: int = 7) -> dict[str, Any]:
    """A set of the right form: 12 training and 4 test images, each pixel `value`."""
    return {
        "x_train": np.full((12, 28, 28), value, np.uint8),
        "y_train": np.array([*first, 0, 1], np.uint8),
        "x_test": np.full((4, 28, 28), value, np.uint8),
        "y_test": np.array([7, 2, 1, 0], np.uint8),
    }


def idx_bytes(array: Any) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_npz(path: Path, **changes: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(small_arrays() | changes))


def write_idx(folder: Path, arrays: dict[str, Any], packed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX_NAMES, arrays.values(), strict=True):
        data = idx_bytes(array)
        (folder / (name if packed else name[:-3])).write_bytes(gzip.compress(data) if packed else data)


def npz_bytes() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **small_arrays())
    return out.getvalue()


def assert_small(loaded: Any, value: int = 7) -> None:
    (x_train, y_train), (x_test, y_test) = loaded
    assert (x_train.shape, y_train.shape) == ((12, 28, 28), (12,))
    assert (x_test.shape, y_test.shape) == ((4, 28, 28), (4,))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.min() == x_test.max() == value


# Where it is looked for


PLACES = {
    "data/mnist/mnist.npz": "npz",
    "data/mnist": "gz",
    "data/MNIST": "raw",
    "data/mnist.npz": "npz",
    "data": "gz",
    "cache/gputrain/datasets/mnist/mnist.npz": "npz",
    "cache/gputrain/datasets/mnist": "raw",
}


@pytest.mark.parametrize("place", PLACES)
def test_mnist_is_found_in_every_place_and_form(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path / "data"))
    assert locate("mnist") is None
    if PLACES[place] == "npz":
        write_npz(tmp_path / place)
    else:
        write_idx(tmp_path / place, small_arrays(), packed=PLACES[place] == "gz")
    assert_small(mnist.load_data())
    assert locate("mnist") == tmp_path / place


def test_the_data_folder_goes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz(
        tmp_path / "cache/gputrain/datasets/mnist/mnist.npz", x_train=np.full((12, 28, 28), 9, np.uint8)
    )
    assert mnist.load_data()[0][0].min() == 9
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path / "data"))
    write_npz(tmp_path / "data/mnist/mnist.npz")
    assert_small(mnist.load_data())


@pytest.mark.parametrize("xdg", [None, "", "relative/folder"])
def test_the_cache_is_in_the_home_folder_by_default(
    xdg: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if xdg is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert search_folders("mnist") == [tmp_path / "home/.cache/gputrain/datasets/mnist"]


def test_another_sets_files_in_the_shared_folder_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path / "data"))
    write_idx(tmp_path / "data", small_arrays(_catalog.FASHION_MNIST.first_labels))
    assert locate("fashion_mnist") == tmp_path / "data"
    assert_small(fashion_mnist.load_data())
    assert locate("mnist") is None
    with pytest.raises(
        DatasetUnavailableError, match="IDX files with the labels of another set; if they are MNIST"
    ):
        mnist.load_data()


def test_fashion_mnist_is_found_where_a_system_package_puts_it(tmp_path: Path) -> None:
    write_idx(tmp_path / "system", small_arrays())
    assert_small(fashion_mnist.load_data())
    assert search_folders("fashion_mnist")[-1] == tmp_path / "system"


def test_path_is_a_name_in_the_folders_or_an_absolute_path(tmp_path: Path) -> None:
    write_npz(tmp_path / "cache/gputrain/datasets/mnist/mine.npz")
    assert_small(mnist.load_data("mine.npz"))
    write_npz(tmp_path / "elsewhere/other.npz")
    assert_small(mnist.load_data(tmp_path / "elsewhere/other.npz"))


@pytest.mark.parametrize("path", ["", "../mnist.npz", "a/../../mnist.npz"])
def test_path_stays_inside(path: str) -> None:
    with pytest.raises(ValueError, match=r"path names the npz file inside the data folders.*Received: '"):
        mnist.load_data(path)


def test_locate_knows_its_names() -> None:
    with pytest.raises(ValueError, match=r"Received: 'fashion-mnist'. Did you mean 'fashion_mnist'\?"):
        locate("fashion-mnist")
    with pytest.raises(ValueError, match="A data set is named"):
        search_folders("cifar10")


# What is found but is wrong


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "float images": ({"x_train": np.zeros((12, 28, 28), np.float32)}, "x_train holds images.*uint8.*float32"),
    "flat images": (
        {"x_test": np.zeros((4, 784), np.uint8)},
        r"x_test holds images.*\(N, 28, 28\).*\(4, 784\)",
    ),
    "no images": ({"x_test": np.zeros((0, 28, 28), np.uint8)}, r"x_test holds images.*\(0, 28, 28\)"),
    "a number for images": ({"x_test": np.uint8(1)}, "x_test holds images"),
    "label missing": ({"y_train": np.zeros(11, np.uint8)}, r"one label per image. Expected: uint8 \(12,\)"),
    "one-hot labels": ({"y_test": np.zeros((4, 10), np.uint8)}, r"one label per image.*\(4, 10\)"),
    "label 10": (
        {"y_test": np.full(4, 10, np.uint8)},
        "y_test has 10 classes. Expected: labels 0 to 9. Received: 10",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_the_wrong_content_is_an_error(name: str, tmp_path: Path) -> None:
    changes, message = WRONG[name]
    path = tmp_path / "cache/gputrain/datasets/mnist/mnist.npz"
    write_npz(path, **changes)
    with pytest.raises(CorruptFileError, match=message) as caught:
        mnist.load_data()
    assert caught.value.path == str(path)


def test_a_damaged_idx_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "system"
    write_idx(folder, small_arrays())
    (folder / IDX_NAMES[2]).write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(CorruptFileError, match=IDX_NAMES[2]):
        fashion_mnist.load_data()


# Downloads


def pretend_published(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Make `body` the published mnist.npz."""
    file = _catalog.RemoteFile("mnist.npz", (hashlib.sha256(body).hexdigest(),))
    monkeypatch.setattr(mnist, "MNIST", _catalog.MNIST._replace(archive=file))


def test_mnist_is_downloaded_once(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = npz_bytes()
    pretend_published(monkeypatch, body)
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", server.url + "/")
    server.serve("/mnist.npz", body)
    assert_small(mnist.load_data())
    assert_small(mnist.load_data())
    assert server.requests == ["/mnist.npz"]
    assert (tmp_path / "cache/gputrain/datasets/mnist/mnist.npz").read_bytes() == body


def test_mnist_is_downloaded_to_the_path_given(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = npz_bytes()
    pretend_published(monkeypatch, body)
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", server.url)
    server.serve("/mnist.npz", body)
    assert_small(mnist.load_data(tmp_path / "mine" / "digits.npz"))
    assert (tmp_path / "mine" / "digits.npz").read_bytes() == body


def test_only_missing_files_are_downloaded(server: Any, tmp_path: Path) -> None:
    arrays = small_arrays()
    bodies = [gzip.compress(idx_bytes(array)) for array in arrays.values()]
    sums = [hashlib.sha256(body).hexdigest() for body in bodies]
    one, two, three, four = (
        _catalog.RemoteFile(name, (sum_,)) for name, sum_ in zip(IDX_NAMES, sums, strict=True)
    )
    info = _catalog.FASHION_MNIST._replace(idx=(one, two, three, four), system=())
    folder = tmp_path / "cache/gputrain/datasets/fashion_mnist"
    write_idx(folder, arrays, packed=False)
    (folder / "t10k-images-idx3-ubyte").unlink()
    server.serve("/t10k-images-idx3-ubyte.gz", bodies[2])
    assert_small(_load.load(info, base_url=server.url))
    assert server.requests == ["/t10k-images-idx3-ubyte.gz"]


def test_a_file_that_is_not_the_published_one_is_not_kept(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", server.url)
    server.serve("/mnist.npz", npz_bytes())
    with pytest.raises(DatasetUnavailableError, match="SHA-256 sum must be the published one"):
        mnist.load_data()
    assert list((tmp_path / "cache/gputrain/datasets/mnist").iterdir()) == []


def test_offline_mnist_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUTRAIN_DATA", str(tmp_path / "data"))
    (tmp_path / "data/mnist").mkdir(parents=True)
    (tmp_path / "data/mnist" / IDX_NAMES[0]).write_bytes(b"")
    with pytest.raises(DatasetUnavailableError) as caught:
        mnist.load_data()
    text = str(caught.value)
    assert text.startswith(
        "MNIST is not on this machine and could not be downloaded: http://127.0.0.1:1/mnist.npz"
    )
    assert "Connection refused" in text
    assert "mnist.npz  SHA-256 731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1" in text
    assert all(f"{file.name}  SHA-256 {file.sums[0]}" in text for file in _catalog.MNIST.idx)
    assert f"{tmp_path / 'data/mnist'}: incomplete, without {', '.join(IDX_NAMES[1:])}" in text
    assert f"{tmp_path / 'data'}: none of the files" in text
    assert f"put them in {tmp_path / 'cache/gputrain/datasets/mnist'}," in text
    assert "any folder named mnist, and set GPUTRAIN_DATA to the folder above that." in text


def test_offline_fashion_mnist_names_both_sums() -> None:
    with pytest.raises(DatasetUnavailableError) as caught:
        fashion_mnist.load_data()
    text = str(caught.value)
    assert text.startswith("Fashion-MNIST is not on this machine")
    for file in _catalog.FASHION_MNIST.idx:
        assert f"{file.name}  SHA-256 {file.sums[0]} or {file.sums[1]}" in text


def test_a_download_address_must_be_a_web_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", "file:///srv/data")
    with pytest.raises(DatasetUnavailableError, match="only web addresses are fetched"):
        mnist.load_data()


# The real Fashion-MNIST


@needs_real
def test_the_real_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUTRAIN_DATA", str(REAL.parent))
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert tuple(y_train[:10].tolist()) == _catalog.FASHION_MNIST.first_labels
    # Known from the literature: the mean and deviation that everybody normalises with, 0.2860 and 0.3530.
    count, value = np.bincount(x_train.ravel(), minlength=256), np.arange(256) / 255
    mean = np.average(value, weights=count)
    assert mean == pytest.approx(0.2860, abs=5e-5)
    assert np.average((value - mean) ** 2, weights=count) ** 0.5 == pytest.approx(0.3530, abs=5e-5)


@needs_real
def test_the_real_fashion_mnist_by_download(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUTRAIN_DATASETS_URL", f"{server.url}/mirror")
    for file in _catalog.FASHION_MNIST.idx:
        server.serve(f"/mirror/{file.name}", (REAL / file.name).read_bytes())
    (x_train, _), (_, y_test) = fashion_mnist.load_data()
    assert (len(x_train), len(y_test)) == (60000, 10000)
    folder = tmp_path / "cache/gputrain/datasets/fashion_mnist"
    assert sorted(path.name for path in folder.iterdir()) == sorted(IDX_NAMES)
    assert locate("fashion_mnist") == folder


@needs_real
def test_the_original_files_differ_only_in_their_gzip_header() -> None:
    """Debian's copy of a file, with the name and the time put back, has the published sum."""
    file = _catalog.FASHION_MNIST.idx[3]
    data = (REAL / file.name).read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sums[1]:
        pytest.skip("the local copy is not Debian's")
    seconds_of_2017 = struct.pack("<I", 1504176627)
    header = b"\x1f\x8b\x08\x08" + seconds_of_2017 + data[8:10] + b"t10k-labels-idx1-ubyte\0"
    assert hashlib.sha256(header + data[10:]).hexdigest() == file.sums[0]
