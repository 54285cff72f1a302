"""Digits: 1,797 handwritten digits, 8x8 grey, shipped with gputrain. No download.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998; UCI Machine Learning
Repository, CC BY 4.0), as scikit-learn ships it. files/digits.txt has the details.
"""

from __future__ import annotations

from gputrain.data.io.npz import read_npz
from gputrain.datasets._load import Split
from gputrain.datasets._locate import DIGITS_FILE


def load_data() -> tuple[Split, Split]:
    """Load the digits in a fixed split, stratified by label, always the same.

    Returns:
        ((x_train, y_train), (x_test, y_test)): uint8 images (1437, 8, 8) and (360, 8, 8), 0 (paper) to 16
        (ink), so divide by 16; uint8 labels (1437,) and (360,), the digits 0 to 9.

    Raises:
        OSError, CorruptFileError: the installation is damaged.

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, y_test.shape, int(x_train.max())
    ((1437, 8, 8), (360,), 16)
    """
    arrays = read_npz(DIGITS_FILE, ("images", "labels", "train_index", "test_index"))
    images, labels = arrays["images"], arrays["labels"]
    train, test = arrays["train_index"], arrays["test_index"]
    return (images[train], labels[train]), (images[test], labels[test])
