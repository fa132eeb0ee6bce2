import pytest

from app import create_app
from app.entries import Entries


@pytest.fixture
def entries():
    return Entries()


@pytest.fixture
def client(entries):
    return create_app(release="r1", entries=entries).test_client()


def test_an_empty_book_says_so(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "Nobody has written anything yet." in page.text


def test_the_page_shows_entries_and_escapes_them(client, entries):
    entries.add("<b>hello</b>")
    page = client.get("/").text
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "<b>hello" not in page


def test_health_names_the_release(client):
    assert client.get("/health").get_json() == {"status": "ok", "release": "r1"}


def test_a_posted_entry_is_stored(client, entries):
    answer = client.post("/entries", json={"text": "good day"})
    assert (answer.status_code, answer.get_json()) == (201, {"number": 1})
    assert entries.all() == ["good day"]


@pytest.mark.parametrize(
    "request_body",
    [{"json": {}}, {"json": ["text"]}, {"data": "not json"}, {"json": {"text": " "}}],
    ids=["no text", "a list", "not JSON", "blank text"],
)
def test_a_bad_request_is_refused_with_a_reason(client, entries, request_body):
    answer = client.post("/entries", **request_body)
    assert answer.status_code == 400
    assert "needs some text" in answer.get_json()["error"]
    assert entries.all() == []


def test_books_are_apart():
    create_app().extensions["entries"].add("in the first book")
    assert create_app().extensions["entries"].all() == []
