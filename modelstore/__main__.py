"""`python -m modelstore` is the `modelstore` command."""

import sys

from modelstore.shell.main import main

sys.exit(main())
