"""One disaster recovery resource, reconciled: what it refers to is followed and observed, what the machine asks for is
carried out."""
