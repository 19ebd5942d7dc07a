"""How many replicas a Redis has to have to be written to."""

from __future__ import annotations

from common.config import SENTINEL
from common.options.option import Option, setting
from common.options.redis_ha import COPIES
from common.options.values import Number

OPTION = Option(
    name="redis_min_replicas",
    about="how many replicas follow a Redis closely as long as it writes (min-replicas-to-write), "
    "with redis_ha=sentinel",
    values=Number(0, COPIES - 1, "replicas", whole=True),
    default="0",
    apply=setting("redis_min_replicas"),
    buys="more: a primary that is cut off from its replicas soon accepts no more jobs, which would "
    "be lost",
    costs="more: it refuses to write as well when replicas are away and nothing else is wrong",
    facts=("redis_min_replicas",),
    goes_with={"redis_ha": SENTINEL},
)
