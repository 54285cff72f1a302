"""Look at Python, NumPy, cupy, driver and GPU, and run a kernel and a matrix product.

examples:
  gputrain doctor
  gputrain doctor --json
  GPUTRAIN_BACKEND=cupy gputrain doctor
  GPUTRAIN_DEVICE=cuda:1 gputrain doctor

Each line is ok, warning or problem; below a warning or a problem stands what to type to mend it.

exit codes: 0 the configured backend works, 1 something that is asked for does not (backend = "cupy", or with
backend = "auto" a GPU that is there), 2 wrong usage or a wrong setting, 130 interrupted with Ctrl-C
"""

from __future__ import annotations

from gputrain.app import doctor
from gputrain.app.cli.codes import FAILED, OK
from gputrain.app.cli.command import JSON, Arguments, Command


def _run(args: Arguments) -> int:
    checks = doctor.examine()
    print(doctor.as_json(checks) if args.json else doctor.as_table(checks))
    return OK if doctor.works(checks) else FAILED


COMMAND = Command(_run, __doc__, (JSON,))
