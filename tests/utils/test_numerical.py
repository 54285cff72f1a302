"""to_categorical, normalize, set_random_seed."""

import numpy as np
import pytest

from gputrain import config, utils


@pytest.fixture(autouse=True)
def clean():
    yield
    config.reset()


def test_to_categorical():
    found = utils.to_categorical([0, 2, 1])
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert utils.to_categorical([[1], [0]], num_classes=3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert utils.to_categorical(np.zeros((2, 4), np.uint8), 5).shape == (2, 4, 5)
    assert utils.to_categorical(np.array([1.0, 0.0])).shape == (2, 2)
    assert utils.to_categorical([], 3).shape == (0, 3)
    assert utils.to_categorical(["1", "0"]).tolist() == [[0, 1], [1, 0]]
    assert utils.to_categorical(np.array([1, 0], object)).tolist() == [[0, 1], [1, 0]]
    config.set_floatx("float64")
    assert utils.to_categorical(1, 2).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            [0, 3, 5],
            3,
            r"from 0 to num_classes - 1 = 2\. Received 2 outside, the first 3\. Count classes from 0",
        ),
        ([-1, 0], 3, r"Received 1 outside, the first -1"),
        ([0.5], None, r"class indices must be whole numbers\. Received dtype float64"),
        (["a"], None, r"class indices must be whole numbers\. Received dtype <U1.*numpy\.unique"),
    ],
)
def test_to_categorical_errors(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        utils.to_categorical(labels, classes)


def test_normalize():
    found = utils.normalize(np.array([[3, 4], [0, 0]]))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        utils.normalize([[1.0, 2.0], [3.0, 2.0]], axis=0, order=1), [[0.25, 0.5], [0.75, 0.5]]
    )


def test_set_random_seed():
    utils.set_random_seed(11)
    assert config.seed() == 11
    with pytest.raises(ValueError, match="'seed' must be an integer from 0"):
        utils.set_random_seed("a")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"use_multiprocessing": True},
            r"^PyDataset: use_multiprocessing cannot be honoured.*give workers=4",
        ),
        ({"workers": -1}, r"PyDataset: workers must be an int of at least 0. Received: -1"),
        ({"workers": 1.5}, r"PyDataset: workers must be an int of at least 0. Received: 1.5"),
        ({"max_queue_size": True}, r"PyDataset: max_queue_size must be an int of at least 0. Received: True"),
    ],
)
def test_what_a_dataset_of_batches_refuses(arguments, text):
    with pytest.raises(ValueError, match=text):
        utils.PyDataset(**arguments)


def test_data_of_a_step_has_three_parts_at_most():
    with pytest.raises(ValueError, match=r"Data of a step is x.*Received: 4 parts"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))
