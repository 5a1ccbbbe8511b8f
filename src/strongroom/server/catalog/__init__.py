"""The catalog: the facts of the server, in SQL.

Models hold no logic; what may happen to a fact is decided by the verbs in `hosts`, `backup`, `restore` and `users`.
`ledger.py` is the vault's view of the same database, so sealing a snapshot and closing its job are one transaction.
Only the rooms named in the import contract may come in here: no route, page or gateway touches SQL.

Importing this package makes Django ready, so that its models can be imported anywhere without ceremony.
Which file the catalog is in is said later, by `connection.use_catalog`.
"""

from __future__ import annotations

import django
from django.conf import settings

from strongroom.server.catalog import django_settings

if not settings.configured:
    settings.configure(**{name: value for name, value in vars(django_settings).items() if name.isupper()})
    django.setup(set_prefix=False)
