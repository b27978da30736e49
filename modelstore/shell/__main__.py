"""`python -m modelstore.shell` is the `modelstore` command."""

import sys

from modelstore.shell.main import main

sys.exit(main())
