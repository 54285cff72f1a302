"""Times and rates as text."""

from __future__ import annotations


def format_timing(done: int, total: int | None, seconds: float, rate: str) -> str:
    """Return the time that `done` of `total` took and the rest will take, as "00:01<00:03, 37.5 steps/s".

    Args:
        done: how many are done; 0 leaves the rest and the rate open.
        total: how many there are, or None when it is not known.
        seconds: what they took.
        rate: put behind it.

    Example:
        >>> format_timing(3, 12, 1.0, "3.00 steps/s")
        '00:01<00:03, 3.00 steps/s'
    """
    times = format_clock(seconds)
    if total is not None:
        times += f"<{format_clock(seconds / done * (total - done))}" if done else "<?"
    return f"{times}, {rate}" if done else times


def format_seconds(seconds: float) -> str:
    """Return a duration in a unit that suits it: "2s", "15ms", "130us"."""
    if seconds >= 1.0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def format_duration(seconds: float) -> str:
    """Return a duration in words, as long jobs need it: "0.3 s", "12 s", "5 min", "2 h 5 min"."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 0.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def format_clock(seconds: float) -> str:
    """Return a duration as on a stopwatch: "01:05", "2:01:05"."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def format_rate(count: int, seconds: float) -> str:
    """Return how many per second, with three digits: "0.52", "37.5", "950", "12.3k", "1.25M"."""
    return _short(count / max(seconds, 1e-9))


def format_count(count: int) -> str:
    """Return a whole number as it is, or with three digits where it is long: "60000", "26.4M"."""
    return str(count) if count < 100_000 else _short(count)


def _short(value: float) -> str:
    for limit, scale, unit in ((999.5, 1.0, ""), (999.5e3, 1e3, "k"), (999.5e6, 1e6, "M")):
        if value < limit:
            return f"{_three_digits(value / scale)}{unit}"
    return f"{_three_digits(value / 1e9)}G"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
