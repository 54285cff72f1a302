"""`python -m gputrain` is the command line."""

import sys

from gputrain.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
