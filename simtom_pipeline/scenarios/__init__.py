"""WHAT the world is: frozen models of a scenario, the loader, and the built-in YAML files.

Promise: this package knows Pydantic and YAML; it draws nothing and imports no other room.
"""
