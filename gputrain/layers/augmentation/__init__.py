"""Random and fixed changes of images."""
