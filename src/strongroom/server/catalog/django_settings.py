"""Django's settings: all that does not depend on the data folder.

`connection.use_catalog` adds what does: the database's file, the secret key and the names the server answers to.
There is no second way to configure the server: people write `server.toml` (`server/config.py`), not this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SERVER = Path(__file__).resolve().parents[1]

DEBUG = False
SECRET_KEY = ""
ALLOWED_HOSTS: list[str] = []
ROOT_URLCONF = "strongroom.server.app.urls"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LOGGING_CONFIG = None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django_htmx",
    "strongroom.server.catalog",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_SERVER / "console" / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "builtins": ["strongroom.server.console.filters"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
        },
    },
]

# WAL lets readers go on while one writes; FULL makes a commit durable before it is answered (ADR 0010).
# IMMEDIATE takes the write lock at once: what a transaction read cannot have changed when it writes.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "",
        "CONN_MAX_AGE": None,  # each thread keeps its connection, people's too (ADR 58)
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-4000",
        },
    },
}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "strongroom_session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_NAME = "strongroom_csrf"
CSRF_FAILURE_VIEW = "strongroom.server.console.failures.stale_form"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGIN_URL = "/login"
STATIC_URL = "/static/"
