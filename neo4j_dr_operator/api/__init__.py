"""What users write: the custom resources as models, and the generator of ``crds/``.

One module a kind (``cluster``, ``disaster_recovery`` with ``recovery_status``, ``restore``) on top of ``base``;
``kinds`` lists them for everyone who needs plural names; ``crd`` renders the manifests; ``conditions`` is the pure
helper for status conditions. This room imports nothing of I/O but ``crd``'s file writing.
"""
