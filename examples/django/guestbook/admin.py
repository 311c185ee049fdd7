"""What the admin shows."""

from django.contrib import admin

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ["text", "author", "written"]
    search_fields = ["text"]
