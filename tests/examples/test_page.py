"""What docs/counting-at-work.md says of other people's software runs beside it: make test-examples."""

import os
import re
from pathlib import Path

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else importing it asks the network
litellm = pytest.importorskip("litellm")
pytest.importorskip("langchain_core")

ROOT = Path(__file__).parents[2]
BLOCKS = [
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "counting-at-work.md").read_text(), re.S)
    if "litellm" in block or "langchain" in block
]


def test_the_page_has_both():
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_of_the_page_run(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.setattr(litellm, "callbacks", [])
    exec(compile(block, "docs/counting-at-work.md", "exec"), {})
