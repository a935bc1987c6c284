"""What a rollout leaves behind: its record, its review in numbers, and the plan of the next cycle."""
