"""The links of a stack: a proxy between caller and callee of every call that it makes to itself.

It is there for stacks that are to be broken on purpose, and no part of what is compared. Each link,
from one caller to one callee, has a port of its own, for the callers of a design need not be
distinguishable otherwise. ``python -m common.links`` is the process; ``LinkService`` sets what
happens to the calls of which link.
"""
