"""vistoken: pixels to patch tokens. Count, plan, make and look at the visual tokens of vision transformers and VLMs.

Importing this package loads neither torch nor numpy, nor most of itself: a public name is resolved when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vistoken._version import __version__ as __version__

if TYPE_CHECKING:
    from vistoken.catalogue import models as models
    from vistoken.counting import TokenCount as TokenCount
    from vistoken.counting import count as count
    from vistoken.counting.documents import DocumentCount as DocumentCount
    from vistoken.counting.documents import count_document as count_document
    from vistoken.counting.film_fitting import within_video as within_video
    from vistoken.counting.films import count_video as count_video
    from vistoken.counting.fitting import within as within
    from vistoken.counting.many import TokenCounts as TokenCounts
    from vistoken.counting.many import count_many as count_many
    from vistoken.counting.messages import PromptCount as PromptCount
    from vistoken.counting.messages import count_messages as count_messages
    from vistoken.counting.ready import counter as counter
    from vistoken.encoding import Encoder as Encoder
    from vistoken.encoding import ImageTokens as ImageTokens
    from vistoken.errors import VistokenError as VistokenError
    from vistoken.geometry import Size as Size
    from vistoken.planning import Plan as Plan
    from vistoken.planning import plan as plan
    from vistoken.planning.jobs import plan_job as plan_job
    from vistoken.planning.within import plan_within as plan_within

# Where each public name lives. `Encoder` and `ImageTokens` need the extra `encode`.
_HOMES = {
    "count": "vistoken.counting",
    "count_many": "vistoken.counting.many",
    "count_messages": "vistoken.counting.messages",
    "counter": "vistoken.counting.ready",
    "within": "vistoken.counting.fitting",
    "within_video": "vistoken.counting.film_fitting",
    "TokenCount": "vistoken.counting",
    "count_document": "vistoken.counting.documents",
    "count_video": "vistoken.counting.films",
    "DocumentCount": "vistoken.counting.documents",
    "TokenCounts": "vistoken.counting.many",
    "PromptCount": "vistoken.counting.messages",
    "plan": "vistoken.planning",
    "plan_job": "vistoken.planning.jobs",
    "plan_within": "vistoken.planning.within",
    "Plan": "vistoken.planning",
    "models": "vistoken.catalogue",
    "Encoder": "vistoken.encoding",
    "ImageTokens": "vistoken.encoding",
    "Size": "vistoken.geometry",
    "VistokenError": "vistoken.errors",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vistoken' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
