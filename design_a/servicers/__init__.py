"""The internal services: messages to the owner of each and back."""
