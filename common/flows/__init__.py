"""The orchestrations, written against ports: what happens on a submit, a dispatch, a completion."""
