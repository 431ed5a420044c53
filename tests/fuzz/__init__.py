"""Feeds the program what nobody would write, and watches that it ends with words, in time.

`python -m tests.fuzz` plays a campaign; see `targets` for what is fed, `mutation` for how it is made.
"""
