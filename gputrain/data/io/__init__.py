"""Files from strangers: readers of npz, npy, IDX and images, downloads, archives. They trust nothing."""
