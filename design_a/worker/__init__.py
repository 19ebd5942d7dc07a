"""The worker of Design A.

A package with an entry point of its own, unlike its siblings: processes that run CPU jobs import
the module that was started unless it is called ``__main__``, and would load gRPC with it.
"""
