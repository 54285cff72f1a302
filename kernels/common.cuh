// What every kernel of gputrain starts from. The loader pastes this text in front of a kernel's own source.
#pragma once

// Runs the body that follows once for each index i in 0 .. count - 1, spread over all threads of the launch.
//
// A grid-stride loop: a launch of any size covers any count, so no kernel has a largest input and the launch can be
// sized for the device rather than for the data. Indices are 64 bits wide, because a tensor may well hold more than
// 2^31 elements and a product of two 32-bit block figures wraps around silently.
#define GPUTRAIN_GRID_STRIDE(i, count)                                                                  \
    for (long long i = (long long)blockIdx.x * (long long)blockDim.x + (long long)threadIdx.x,          \
                   gputrain_step = (long long)gridDim.x * (long long)blockDim.x;                        \
         i < (long long)(count); i += gputrain_step)
