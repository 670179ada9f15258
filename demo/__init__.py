"""The story of a disaster recovery, told in the terminal on real servers: ``python -m demo``, or ``make demo``."""
