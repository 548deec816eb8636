"""How families choose frames of a video: one small frozen type for each distinct rule."""
