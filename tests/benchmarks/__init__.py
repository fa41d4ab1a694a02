"""Measurements that are run by hand: `python -m tests.benchmarks`.

Each row names what it must reach. Every ratio is made in one run, from slices that
take turns, so that a noisy machine disturbs both sides alike.
"""
