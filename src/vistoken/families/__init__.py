"""One file a family. Nothing is imported here: `vistoken.lookup` finds the files by scanning this folder."""
