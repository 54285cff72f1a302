"""Dense, Input and layers that only pass values on."""
