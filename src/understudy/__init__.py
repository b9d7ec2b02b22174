"""Understudy: open, self-hosted motion control."""
