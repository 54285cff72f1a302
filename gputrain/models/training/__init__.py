"""Training: compile, fit, evaluate, predict, the steps they run, and the callback protocol."""
