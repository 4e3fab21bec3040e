"""Real language models by transformers and torch: see `engine`."""

import os

# Threads of torch's that wait for one another would otherwise spin. Where other programs use the processors
# too, such as the clients of this server, that made sampling four times slower (measured on two busy cores).
# It counts when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
