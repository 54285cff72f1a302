"""The parts of benchmarks/gpu.py.

tasks       what is trained, as every side builds it
ours        gputrain's side
torch_peer  PyTorch's, eager and compiled
jax_peer    JAX's
checks      that every side computes the same, before anything is timed
timing      rounds, medians
kernels     each kernel against its limit; kernel_cases: at which sizes
machine     what the figures were taken on
report      the JSON file and the tables
"""
