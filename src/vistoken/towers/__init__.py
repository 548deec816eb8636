"""Towers that several families share: readers of their configs, and the names of their weights."""
