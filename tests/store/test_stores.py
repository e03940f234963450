"""What every store keeps to, whichever it is."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.store import Conflict, Document, Logged, StoreError, Write
from controller.store.memory import MemoryStore
from controller.store.sqlite import SqliteStore
from controller.types import Record


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "hadron.db")
    yield made
    made.close()


def documents(store: Any) -> dict[tuple[str, str], tuple[int, Any]]:
    return {(kind, id): (revision, body) for kind, id, revision, body in store.load()[1]}


def test_an_empty_store_is_at_revision_nought(store: Any) -> None:
    assert store.load() == (0, [])


def test_what_is_committed_is_loaded_with_its_revision(store: Any) -> None:
    first = store.commit([Write("network", "n1", {"name": "blue"})])
    second = store.commit([Write("port", "p1", {"ips": (Record(ip="10.0.0.1"),)}), Write("port", "p2", {})])
    assert (first, second) == (1, 2)
    revision, found = store.load()
    assert revision == 2
    assert sorted(found) == [Document("network", "n1", 1, {"name": "blue"}),
                             Document("port", "p1", 2, {"ips": ({"ip": "10.0.0.1"},)}), Document("port", "p2", 2, {})]


def test_a_document_without_a_body_is_gone(store: Any) -> None:
    store.commit([Write("port", "p1", {})])
    store.commit([Write("port", "p1", None)])
    assert documents(store) == {}


def test_a_commit_that_relied_on_another_revision_changes_nothing(store: Any) -> None:
    store.commit([Write("port", "p1", {"a": 1})])
    store.commit([Write("port", "p1", {"a": 2})], {("port", "p1"): 1})
    with pytest.raises(Conflict) as refused:
        store.commit([Write("port", "p2", {}), Write("port", "p1", {"a": 3})], {("port", "p1"): 1})
    assert (refused.value.key, refused.value.expected, refused.value.actual) == (("port", "p1"), 1, 2)
    assert documents(store) == {("port", "p1"): (2, {"a": 2})}


def test_what_must_not_exist_may_not_exist(store: Any) -> None:
    store.commit([Write("port", "p1", {})], {("port", "p1"): 0})
    with pytest.raises(Conflict):
        store.commit([Write("port", "p1", {})], {("port", "p1"): 0})


def test_a_watcher_gets_what_was_and_what_comes_in_order(store: Any) -> None:
    store.commit([Write("port", "p1", {"a": 1})])
    store.commit([Write("port", "p2", {"a": 2}), Write("port", "p1", None)])
    seen: list[Logged] = []
    enough = threading.Event()

    def watch() -> None:
        for change in store.watch(1):
            seen.append(change)
            if change.id == "p3":
                enough.set()

    thread = threading.Thread(target=watch)
    thread.start()
    store.commit([Write("port", "p3", {"a": 3})])
    assert enough.wait(10)
    store.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == [Logged(2, "port", "p2", {"a": 2}), Logged(2, "port", "p1", None, {"a": 1}), Logged(3, "port", "p3", {"a": 3})]


def test_a_closed_store_takes_nothing_more(store: Any) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.commit([Write("port", "p1", {})])


KEYS = st.tuples(st.sampled_from(["port", "network"]), st.sampled_from("abc"))
TEXTS = st.text(st.characters(codec="utf-8"))
BODIES = st.recursive(st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | TEXTS,
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
                      max_leaves=8)
COMMITS = st.lists(st.lists(st.tuples(KEYS, st.none() | st.fixed_dictionaries({"value": BODIES})),
                            min_size=1, max_size=4, unique_by=lambda one: one[0]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(COMMITS)
def test_sqlite_says_what_memory_says_even_after_opening_it_again(tmp_path_factory: Any, commits: Any) -> None:
    path = tmp_path_factory.mktemp("store") / "hadron.db"
    memory, sqlite = MemoryStore(), SqliteStore(path)
    for number, commit in enumerate(commits):
        writes = [Write(kind, id, body) for (kind, id), body in commit]
        assert memory.commit(writes) == sqlite.commit(writes)
        if number % 4 == 3:
            sqlite.close()
            sqlite = SqliteStore(path)
    mine, theirs = documents(memory), documents(sqlite)
    assert mine.keys() == theirs.keys()
    for key, (revision, body) in mine.items():
        assert theirs[key] == (revision, frozen(body))
    sqlite.close()


def frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return tuple(frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
