"""The catalog as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Where the models are, and the name their migrations go by."""

    name = "strongroom.server.catalog"
    label = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
