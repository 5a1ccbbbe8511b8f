"""The gateway: the only thing that a host's identity can reach, and all of it (docs/protocol.md).

Eleven verbs, each a POST with a body of bounded size. A request passes five gates, in this order: a known path, the
protocol's version, the host's access token (looked up each time, so a revocation works at once), room (`intake`), and
the strict decoding of its body. Only then the verb is called, in a thread; it decides what this host may do.

    door       the ASGI application: the gates, and errors as `Problem`s
    verbs      the table: what each path takes, and which verb of the server it is
    orders     the stream that an agent listens to; its being open is the host's presence
    streams    long replies, made piece by piece as fast as the peer takes them
    exchange   one request and its reply: limits and patience
    threads    the port to the threads that verbs run in
    intake     how much the hosts may make the server hold at once

`async` stays in here and in `server/app`. What a verb does is synchronous and runs in the threads that the door was
given.
"""
