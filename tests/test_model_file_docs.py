"""docs/model-files.md explains every word of the language."""
from __future__ import annotations

import re

import pytest

from controller import attributes, checks, object_words, particles
from controller.types import TYPES
from tests.kit.worlds import ROOT

WORDS = sorted({*particles._FILE_WORDS, *particles._OBJECT_WORDS, *particles._API_WORDS, *object_words._ACTION_WORDS,
                *object_words._RENDERING_WORDS,
                *attributes._WORDS, *attributes._POOL_WORDS, *checks._WORDS, *TYPES, "call", "list", "record", "enum"})


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_explained(word: str) -> None:
    assert re.search(rf"(?<![a-z_-]){word}(?![a-z_-])", (ROOT / "docs" / "model-files.md").read_text())
