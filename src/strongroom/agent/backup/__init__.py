"""The agent's half of a backup, step by step; docs/workflow.md maps each step to a file."""
