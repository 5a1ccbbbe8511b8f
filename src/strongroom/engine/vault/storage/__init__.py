"""Dumb bytes under the vault: write-once objects by name."""
