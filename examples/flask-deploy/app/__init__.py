"""A guest book: a Flask application with a page and a small JSON interface."""

from typing import Optional

from flask import Flask

from app.entries import Entries
from app.routes import pages


def create_app(release: str = "development", entries: Optional[Entries] = None) -> Flask:
    """Builds the application; `release` is the name that `/health` reports."""
    app = Flask(__name__)
    app.config["RELEASE"] = release
    app.extensions["entries"] = entries if entries is not None else Entries()
    app.register_blueprint(pages)
    return app
