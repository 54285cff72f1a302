"""`server` answers on the loopback."""

from tests.loopback import server

__all__ = ["server"]
