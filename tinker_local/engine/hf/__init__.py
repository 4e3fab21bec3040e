"""Real language models by transformers and torch: see `engine`."""

import os

# Otherwise torch's waiting threads spin. Where other programs use the processors too, such as the clients of this
# server, that makes sampling 6 to 15 times slower (two cores, load 10). Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
