"""Layouts: how the views of one picture enter the prompt of a language model.

A layout turns a `Tiling` into a `Sequence` of pieces; it is one small frozen type for each distinct way of writing.
"""
