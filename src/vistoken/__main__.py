"""`python -m vistoken` is the command `vistoken`."""

from vistoken.cli import main

if __name__ == "__main__":
    main()
