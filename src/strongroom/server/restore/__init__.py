"""The server's half of a restore: asked for, granted, read under the grant; and browsing what could be restored.

A restore is a job like any other; its life is told in `backup/`.
"""
