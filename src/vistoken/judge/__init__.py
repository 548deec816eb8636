"""The judge: our counts against what the installed reference library makes of the same sizes.

The only folder that imports transformers. Nothing here is needed to count.
"""
