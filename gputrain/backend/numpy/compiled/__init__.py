"""Compiled kernels of the CPU device: what NumPy is slow at, in a library built with the package.

Where the library is missing, the tables here stay unused and everything runs on NumPy.
"""
