"""Programs that measure gputrain. Each runs from a plain checkout; README.md says what it shows."""
