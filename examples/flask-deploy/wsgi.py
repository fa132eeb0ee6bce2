"""The entry point for a WSGI server: `flask --app wsgi run` or `gunicorn wsgi:application`."""

from pathlib import Path

from app import create_app

# The deployment puts each release in a directory of its own, named after it.
application = create_app(release=Path(__file__).resolve().parent.name)
