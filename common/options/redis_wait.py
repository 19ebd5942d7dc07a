"""How many replicas of a Redis acknowledge before an answer is given."""

from __future__ import annotations

from common.config import SENTINEL
from common.options.option import Option, setting
from common.options.redis_ha import COPIES
from common.options.values import Number

OPTION = Option(
    name="redis_wait",
    about="how many replicas acknowledge what an answer of Redis shows before it is given (WAIT), "
    "with redis_ha=sentinel",
    values=Number(0, COPIES - 1, "replicas", whole=True),
    default="0",
    apply=setting("redis_wait"),
    buys="more: what was answered is on so many other copies, and an old primary has no answers",
    costs="more: each answer waits for them, and without them there is none",
    facts=("redis_wait", "durability"),
    goes_with={"redis_ha": SENTINEL},
)
