import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # builders and cases stand beside the tests


@pytest.fixture(scope="session")
def rules():
    from config.rulefiles import read_rules
    from detectors.rules import compile_rules

    return compile_rules(read_rules())
