"""Finds out how a server is spoken to, if nobody says so."""

from __future__ import annotations

from tests.judge import setup
from tests.judge.subject import Subject


def detect(subject: Subject) -> setup.Walk:
    """Return what a walk found, of the first adapter that it fits. Raises NoFit."""
    return setup.walk(subject)
