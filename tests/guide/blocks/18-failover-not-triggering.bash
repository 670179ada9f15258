kubectl describe neo4jdisasterrecovery cross-region-dr
