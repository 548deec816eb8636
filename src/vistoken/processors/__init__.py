"""Readers of image and video processors that several families share, by the class in transformers that defines them."""
