"""Start GPT Studio from a checkout: python main.py"""

import sys

from gpt_studio.gui.app import main

if __name__ == "__main__":
    sys.exit(main())
