"""`manage.py prepare`: what the site needs before it is served for the first time."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

NAME, PASSWORD = "manager", "managepass"


class Command(BaseCommand):
    help = "Makes the tables and the first user, and collects the static files."

    def handle(self, *arguments, **options):
        settings.DATA.mkdir(exist_ok=True)
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        users = get_user_model().objects
        if not users.filter(username=NAME).exists():
            users.create_superuser(NAME, password=PASSWORD)
            self.stdout.write(f"made the user {NAME} with the password {PASSWORD}")
