"""The version of the package, and of the API of Keras that it has."""

__version__ = "0.1.0"

# What `keras.version()` says: the first version of the API that is there. Scripts ask for it to see whether
# Keras 3 is there, or to use what later versions brought; the oldest 3 promises them nothing that is missing,
# and three plain numbers are understood by all the ways in which scripts take a version apart.
KERAS_VERSION = "3.0.0"


def version() -> str:
    """Return the version of the Keras API that is there."""
    return KERAS_VERSION
