"""An object that looks like the module `cupy` to a device backend, on host memory and the emulator."""
