"""The console: web pages for people, a screen per noun, rendered on the server.

It calls the same verbs and read models as the API, so it can do nothing that the API cannot. One stylesheet of our own,
light and dark; htmx for what moves by itself; every page works by keyboard and, but for live progress, without scripts.
"""
