"""Files of named arrays: HDF5, safetensors and npz; each is written whole and read with distrust."""
