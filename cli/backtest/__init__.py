"""A backtest: the workflow itself, over facts of the past, on a server whose clock skips."""
