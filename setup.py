"""The list of packages and the library of compiled kernels; everything else stands in pyproject.toml.

The folders kernels/ and configs/ stand at the top of the repository, where people look for them. Here they
are mapped into the package as `gputrain._kernels` and `gputrain._configs`, so that a wheel carries them.
`gputrain.utils.resources` finds them in a wheel, an editable install and a plain checkout.

The library (kernels/cpu/) is optional: without a C++ compiler that understands GCC's vector types everything
installs all the same and runs on NumPy. It is called through ctypes and knows nothing of Python, so one wheel
serves all versions.

    python setup.py build_ext --inplace     # in a checkout
"""

import os
import sys
import zlib
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

TOP_LEVEL_DATA = {"gputrain._kernels": "kernels", "gputrain._configs": "configs"}
SOURCES = Path("kernels") / "cpu"
LIBRARY = "gputrain.backend.numpy.compiled.kernels"
VERSION = next(
    line.split('"')[1]
    for line in Path("gputrain/release.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("__version__")
)
# What tells a library from one of other sources: `version_of` in gputrain/backend/numpy/compiled/binding.py.
FILES = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".h", ".inc"))
DIGEST = zlib.crc32(b"".join(path.read_bytes() for path in FILES))
SUFFIX = ".dso"  # which Python does not take for a module


class BuildLibrary(build_ext):
    """Builds a plain library: no module of Python, so its name holds no version of Python."""

    def get_ext_filename(self, name: str) -> str:
        return os.path.join(*name.split(".")) + SUFFIX


class TaggedWheel(bdist_wheel):
    """A wheel for every Python: of this platform where the library was built, else of every one."""

    def get_tag(self) -> tuple[str, str, str]:
        _, _, platform = super().get_tag()
        built = any(Path(self.bdist_dir).rglob(f"kernels{SUFFIX}"))
        return "py3", "none", platform if built else "any"


library = Extension(
    LIBRARY,
    sources=[str(path) for path in FILES if path.suffix == ".cpp"],
    depends=[str(path) for path in FILES],
    extra_compile_args=[
        "-O3", "-g0", "-std=c++17", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fno-math-errno",
        "-fwrapv",  # bits of numbers are whole numbers that wrap around
        "-Wno-psabi", "-Wno-ignored-attributes", f'-DGPUTRAIN_VERSION="{VERSION} {DIGEST:08x}"',
    ],
    extra_link_args=["-pthread"],
    optional=True,
)  # fmt: skip

setup(
    packages=[*find_packages(include=["gputrain", "gputrain.*"]), *TOP_LEVEL_DATA],
    package_dir=TOP_LEVEL_DATA,
    ext_modules=[library] if sys.platform != "win32" else [],
    cmdclass={"build_ext": BuildLibrary, "bdist_wheel": TaggedWheel},
)
