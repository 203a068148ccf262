"""Proof of an erasure: every place where data lies is searched for what a person was told by."""
