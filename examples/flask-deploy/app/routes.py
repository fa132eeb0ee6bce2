"""The routes: one page for people, the rest for programs."""

from flask import Blueprint, Response, current_app, jsonify, render_template, request

from app.entries import Entries, InvalidEntry

pages = Blueprint("pages", __name__)


def _entries() -> Entries:
    return current_app.extensions["entries"]


@pages.get("/")
def index() -> str:
    """The book as a page."""
    return render_template("index.html", entries=_entries().all())


@pages.get("/health")
def health() -> Response:
    """Says which release answers; a deployment can be checked with it."""
    return jsonify(status="ok", release=current_app.config["RELEASE"])


@pages.post("/entries")
def add_entry() -> tuple[Response, int]:
    """Adds the `text` of a JSON body."""
    body = request.get_json(silent=True)
    text = body.get("text") if isinstance(body, dict) else None
    try:
        number = _entries().add(text)
    except InvalidEntry as error:
        return jsonify(error=str(error)), 400
    return jsonify(number=number), 201
