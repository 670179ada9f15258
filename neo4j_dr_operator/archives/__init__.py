"""A resource's archives besides log shipping: which snapshot is taken when, and the rounds of its auditors."""
