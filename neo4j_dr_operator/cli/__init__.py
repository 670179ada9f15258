"""``kubectl neo4j-dr``: what a person asks of the operator's resources, with that person's own rights.

``main`` reads the command line and turns errors into one line and an exit code; ``commands`` holds one module a
command. What is shown is made by pure modules: ``facts`` reads the documents, ``summary`` and ``advice`` judge them,
``picture`` and ``sections`` lay them out, ``text`` alone turns that into characters for a terminal.
"""
