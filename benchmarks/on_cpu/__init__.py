"""What `cpu.py` and `sequences.py` measure on the CPU, and how."""
