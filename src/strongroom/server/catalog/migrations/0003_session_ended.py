"""Sessions: when they ended; what an unfinished one stored is kept from then on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_job_source_areas")]

    operations = [migrations.AddField("vaultsession", "ended", models.DateTimeField(null=True))]
