"""The agent's half of a restore: plan what to write, place it, report."""
