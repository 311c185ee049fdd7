"""What guests write."""

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """A line in the guest book, perhaps with a picture."""

    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)
    picture = models.BinaryField(null=True)
    picture_type = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "entries"

    def __str__(self):
        return self.text
