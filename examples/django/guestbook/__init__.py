"""A guest book with Django's users and its admin."""
