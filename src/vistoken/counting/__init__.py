"""The verb count: how many visual tokens, and why."""

from __future__ import annotations

from vistoken.counting.tokens import TokenCount as TokenCount
from vistoken.counting.tokens import count as count
from vistoken.counting.tokens import count_views as count_views
