"""Movements that wait until somebody confirms them with a code."""
