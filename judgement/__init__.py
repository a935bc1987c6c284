"""What measured numbers mean: pure statistics and rules that turn a snapshot into an assessment."""
