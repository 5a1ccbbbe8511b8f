"""The composition root: the one place where catalog, vault, gateway, people's doors and duties meet.

    program    open the data folder, serve, stop cleanly; what `server run` calls
    listener   one address, TLS, and the HTTP server behind it
    doors      which part answers a request: agents' gateway, or people's pages and API
    urls       the people's paths
    plain      what is asked without a login: the authority's certificate, health
    workers    the threads in which synchronous work is done
    only_one   one server process a data folder
    address    what the server is called: its certificate's names, its URL
    memory     what is freed is kept for the next parcel

`async` is here and in the gateway, and nowhere else in the server.
"""

from __future__ import annotations

from strongroom.server.app.program import run

__all__ = ["run"]
