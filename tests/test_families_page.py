"""docs/families.md says what the tests found, of all families and nothing else."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import families_page as page

TEXT = page.PAGE.read_text() if page.PAGE.exists() else ""
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (\d+) \| (.+?) \| ([\d.e+-]+) \|$", TEXT, re.MULTILINE)


def test_the_page_is_of_this_state():
    """`make families` writes it anew."""
    assert TEXT.startswith(page.INTRO)
    assert TEXT.endswith(page.static())


def test_every_family_that_is_encoded_was_compared():
    encoded = {family.name for family in page.families() if family.weights is not None} - {"front end"}
    assert {row[0] for row in ROWS} == encoded


def test_every_other_family_has_a_reason():
    assert {family.name for family in page.families() if family.weights is None} == set(page.OUT)


def test_differences_are_within_what_is_allowed():
    assert ROWS
    assert all(float(row[6]) <= 1e-4 for row in ROWS)
