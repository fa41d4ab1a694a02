"""Storms: many clients that transfer money at once, in a process of their own."""
