"""What an exit code means."""

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

EXPLAINED = (
    "exit codes: 0 done, 1 failed, also with data that cannot be used, 2 wrong usage or a wrong recipe, "
    "130 interrupted with Ctrl-C"
)
