"""The centre: catalog, vault, API, console and the gateway that agents talk to."""
