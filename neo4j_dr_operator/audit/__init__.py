"""The auditor: what an archive holds, re-read and re-checked, and from when to when it can bring a graph back."""
