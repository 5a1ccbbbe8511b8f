"""The words of Strongroom: frozen values and enums that every part shares.

Why: server, agent, engine and wire must mean the same by the same word.
Promises: nothing here does I/O; every value can be encoded by msgspec.
Does not: hold behaviour beyond what a value can say of itself.
"""
