"""`python -m vistoken` is the command `vistoken`."""

import os
import sys

if __name__ == "__main__":
    # `python -m` imports from the current folder first. It may be a model's, with a numpy.py that nobody should run.
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
        del sys.path[0]
    from vistoken.cli import main

    main()
