"""One database of a pair as the operator handles it: its access, its marks, its end of the change stream."""
