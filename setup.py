"""The list of packages; everything else stands in pyproject.toml.

The folders kernels/ and configs/ stand at the top of the repository, where people look for them. Here they
are mapped into the package as `gputrain._kernels` and `gputrain._configs`, so that a wheel carries them.
`gputrain.utils.resources` finds them in a wheel, an editable install and a plain checkout.
"""

from setuptools import find_packages, setup

TOP_LEVEL_DATA = {"gputrain._kernels": "kernels", "gputrain._configs": "configs"}

setup(
    packages=[*find_packages(include=["gputrain", "gputrain.*"]), *TOP_LEVEL_DATA],
    package_dir=TOP_LEVEL_DATA,
)
