"""Elementwise chains: which nodes run as one kernel, and what each operation is in it."""
