"""What an exit code means."""

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
BY_SIGNAL = 128  # and the signal's number

EXPLAINED = (
    "exit codes: 0 done, 1 failed, also with data that cannot be used, 2 wrong usage or a wrong recipe, "
    "130 interrupted with Ctrl-C, 143 ended by SIGTERM, 129 by SIGHUP"
)
