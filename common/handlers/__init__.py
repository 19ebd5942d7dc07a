"""The kinds of job: one public module each. A new kind is one new file here.

A kind's module binds ``HANDLER`` to a :class:`common.handlers.registry.Handler`. Modules whose
name begins with an underscore are shared helpers and no kinds.
"""
