"""Start GPT Studio: python -m gpt_studio"""

import sys

from gpt_studio.cli import main

if __name__ == "__main__":
    sys.exit(main())
