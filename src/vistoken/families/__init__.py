"""One file a family. Nothing is imported here: `vistoken.registry` finds the files by scanning this folder."""
