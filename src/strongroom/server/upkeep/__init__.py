"""Upkeep: looking after what is stored."""
