# 1. Ensure primary cluster is healthy
kubectl get neo4jenterprisecluster primary-cluster

# 2. Sync data from current active (secondary)
kubectl patch neo4jdisasterrecovery cross-region-dr --type='merge' -p='{"spec":{"sync":{"direction":"reverse"}}}'

# 3. Wait for sync completion
kubectl wait --for=condition=SyncComplete neo4jdisasterrecovery cross-region-dr --timeout=1800s

# 4. Failback to primary
kubectl patch neo4jdisasterrecovery cross-region-dr --type='merge' -p='{"spec":{"failover":{"target":"primary"}}}'
