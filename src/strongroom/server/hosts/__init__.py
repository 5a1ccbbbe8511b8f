"""Hosts: how they come in, prove who they are, are known to be there, and are shut out."""
