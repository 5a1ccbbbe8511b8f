"""The first tables."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ActivationToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("secret_hash", models.BinaryField(max_length=32, unique=True)),
                ("uses_left", models.IntegerField(null=True)),
                ("expires", models.DateTimeField()),
                ("created", models.DateTimeField()),
                ("created_by", models.CharField(max_length=150)),
            ],
            options={
                "db_table": "activation_token",
            },
        ),
        migrations.CreateModel(
            name="AuditRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("time", models.DateTimeField(db_index=True)),
                ("who", models.CharField(max_length=150)),
                ("address", models.CharField(max_length=64)),
                ("action", models.CharField(max_length=64)),
                ("what", models.CharField(max_length=255)),
                ("details", models.JSONField()),
            ],
            options={
                "db_table": "audit_record",
            },
        ),
        migrations.CreateModel(
            name="Host",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255, unique=True)),
                ("public_key", models.BinaryField(max_length=32, unique=True)),
                ("os_family", models.CharField(max_length=16)),
                ("os_version", models.CharField(max_length=255)),
                ("agent_version", models.CharField(max_length=64)),
                ("time_zone", models.CharField(max_length=64)),
                ("boot_id", models.CharField(max_length=64)),
                ("instance_id", models.CharField(max_length=64)),
                ("activated", models.DateTimeField()),
                ("last_seen", models.DateTimeField(null=True)),
                ("revoked", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "host",
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=64)),
                ("until", models.DateTimeField()),
            ],
            options={
                "db_table": "lease",
            },
        ),
        migrations.CreateModel(
            name="NextOrdinal",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("value", models.BigIntegerField()),
            ],
            options={
                "db_table": "next_ordinal",
            },
        ),
        migrations.CreateModel(
            name="Pack",
            fields=[
                ("name", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("kind", models.SmallIntegerField()),
                ("chunks", models.BigIntegerField()),
                ("size_bytes", models.BigIntegerField()),
                ("first_ordinal", models.BigIntegerField(unique=True)),
                ("state", models.CharField(max_length=16)),
                ("session", models.CharField(db_index=True, max_length=64)),
            ],
            options={
                "db_table": "pack",
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("secret_hash", models.BinaryField(max_length=32, unique=True)),
                ("created", models.DateTimeField()),
                ("expires", models.DateTimeField(null=True)),
                ("last_used", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "api_token",
            },
        ),
        migrations.CreateModel(
            name="BackupSet",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("content", models.JSONField()),
                ("content_hash", models.CharField(max_length=64)),
                ("options", models.JSONField()),
                ("created", models.DateTimeField()),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="sets", to="catalog.host"
                    ),
                ),
            ],
            options={
                "db_table": "backup_set",
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=16)),
                ("trigger", models.CharField(max_length=16)),
                ("kind", models.CharField(default="", max_length=16)),
                ("requested_by", models.CharField(max_length=150)),
                ("state", models.CharField(max_length=32)),
                ("reason_code", models.CharField(max_length=64)),
                ("reason_text", models.CharField(max_length=2000)),
                ("step", models.CharField(max_length=32)),
                ("requested", models.DateTimeField()),
                ("started", models.DateTimeField(null=True)),
                ("ended", models.DateTimeField(null=True)),
                ("deadline", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("acknowledged", models.BooleanField(default=False)),
                ("instance_id", models.CharField(default="", max_length=64)),
                ("boot_id", models.CharField(default="", max_length=64)),
                ("session", models.CharField(default="", max_length=64)),
                ("base", models.CharField(default="", max_length=32)),
                ("snapshot", models.CharField(default="", max_length=32)),
                ("source", models.CharField(default="", max_length=32)),
                ("source_why", models.CharField(default="", max_length=2000)),
                ("restore_request", models.JSONField(null=True)),
                ("progress", models.JSONField(null=True)),
                ("estimate", models.JSONField(null=True)),
                ("transfer", models.JSONField(null=True)),
                ("restore_result", models.JSONField(null=True)),
                ("missed_count", models.IntegerField(default=0)),
                (
                    "backup_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="jobs", to="catalog.backupset"
                    ),
                ),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="jobs", to="catalog.host"
                    ),
                ),
            ],
            options={
                "db_table": "job",
            },
        ),
        migrations.CreateModel(
            name="JobLogLine",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("time", models.DateTimeField()),
                ("text", models.CharField(max_length=2000)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="log", to="catalog.job"
                    ),
                ),
            ],
            options={
                "db_table": "job_log_line",
            },
        ),
        migrations.CreateModel(
            name="JobMissedFile",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("index", models.IntegerField()),
                ("path", models.BinaryField()),
                ("reason", models.CharField(max_length=32)),
                ("detail", models.CharField(max_length=500)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="missed", to="catalog.job"
                    ),
                ),
            ],
            options={
                "db_table": "job_missed_file",
            },
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(unique=True)),
                ("set_id", models.BigIntegerField()),
                ("job_id", models.BigIntegerField()),
                ("time", models.DateTimeField()),
                ("kind", models.CharField(max_length=16)),
                ("base", models.CharField(max_length=32)),
                ("root", models.BinaryField(max_length=32)),
                ("files", models.BigIntegerField()),
                ("size_bytes", models.BigIntegerField()),
                ("new_bytes", models.BigIntegerField()),
                ("missed", models.BigIntegerField()),
                ("bitmap", models.BinaryField()),
            ],
            options={
                "db_table": "snapshot",
                "indexes": [models.Index(fields=["set_id", "number"], name="snapshot_set_id_24c5ec_idx")],
            },
        ),
        migrations.CreateModel(
            name="StartedOnce",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("who", models.CharField(max_length=150)),
                ("key", models.CharField(max_length=255)),
                ("call_hash", models.BinaryField(max_length=32)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="keys", to="catalog.job"
                    ),
                ),
            ],
            options={
                "db_table": "started_once",
            },
        ),
        migrations.CreateModel(
            name="UsedNonce",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("nonce", models.BinaryField(max_length=64)),
                ("expires", models.DateTimeField(db_index=True)),
                ("host", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="catalog.host")),
            ],
            options={
                "db_table": "used_nonce",
            },
        ),
        migrations.CreateModel(
            name="VaultSession",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("set_id", models.BigIntegerField()),
                ("job_id", models.BigIntegerField()),
                ("base", models.CharField(max_length=32)),
                ("state", models.CharField(db_index=True, max_length=16)),
                ("opened", models.DateTimeField()),
                ("snapshot", models.CharField(default="", max_length=32)),
                ("reach", models.BinaryField()),
            ],
            options={
                "db_table": "vault_session",
                "indexes": [models.Index(fields=["set_id", "state", "opened"], name="vault_sessi_set_id_d040ea_idx")],
            },
        ),
        migrations.AddConstraint(
            model_name="backupset",
            constraint=models.UniqueConstraint(fields=("host", "content_hash"), name="content_once_a_host"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["host", "state"], name="job_host_id_f83b40_idx"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(fields=["backup_set", "state"], name="job_backup__7c828d_idx"),
        ),
        migrations.AddConstraint(
            model_name="jobmissedfile",
            constraint=models.UniqueConstraint(fields=("job", "index"), name="missed_once"),
        ),
        migrations.AddConstraint(
            model_name="startedonce",
            constraint=models.UniqueConstraint(fields=("who", "key"), name="started_once_a_key"),
        ),
        migrations.AddConstraint(
            model_name="usednonce",
            constraint=models.UniqueConstraint(fields=("host", "nonce"), name="nonce_once"),
        ),
    ]
