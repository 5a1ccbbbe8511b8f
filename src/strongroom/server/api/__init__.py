"""The REST API: for people's programs and for our own command line. One module per noun.

    rest       the API put together from its nouns
    auth       who asks: an API token, or the console's session
    problems   every failure as `application/problem+json` with a stable code
    pages      lists in bounded pages, with opaque cursors
    once       Idempotency-Key: a call that starts something, said twice, starts it once
    urls       what `/api/v1/` leads to

A route does nothing itself: it reads the request, calls one verb or one read model, and shapes the answer.
Bodies are strict: an unknown field is refused, so that a misspelt wish is never silently left out.
"""
