"""The verb plan: what a model costs at a size, in rows that sum up."""

from __future__ import annotations

from vistoken.planning.memory import Memory as Memory
from vistoken.planning.memory import Peak as Peak
from vistoken.planning.memory import allowance as allowance
from vistoken.planning.operations import Operation as Operation
from vistoken.planning.operations import operations as operations
from vistoken.planning.plans import Plan as Plan
from vistoken.planning.plans import bare_encoder as bare_encoder
from vistoken.planning.plans import plan as plan
from vistoken.planning.plans import plan_views as plan_views
from vistoken.planning.tally import Tally as Tally
