"""The Django project's application."""
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "compat_settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
