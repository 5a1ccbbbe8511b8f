"""Jobs: what each part of the files was read from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]

    operations = [migrations.AddField("job", "source_areas", models.JSONField(null=True))]
