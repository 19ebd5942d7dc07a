"""The owners: each is the only writer of its state, and its methods never see half a change.

They run on one event loop and suspend nowhere but while a dequeue waits, so a method is atomic
without locks.
"""
