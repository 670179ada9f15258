# Immediate failover (may result in data loss)
kubectl patch neo4jdisasterrecovery cross-region-dr --type='merge' -p='{"spec":{"failover":{"emergency":true,"target":"secondary"}}}'

# Check failover status
kubectl describe neo4jdisasterrecovery cross-region-dr
